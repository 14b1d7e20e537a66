{# A quotient as a double, null if the denominator is 0. Engines differ in what 7 / 2 is, for integers and for decimals. -#}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double precision) / nullif(cast({{ denominator }} as double precision), 0)
{%- endmacro %}
