{# Iceberg's partitions of a lake model. Only Athena's adapter knows the key: the others complain of it. -#}
{% macro lake_partitions(transforms) -%}
    {%- if target.type == 'athena' -%}
        {{ config(partitioned_by=transforms) }}
    {%- endif -%}
{%- endmacro %}
