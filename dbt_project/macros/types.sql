{# The type of a timestamp in UTC. Iceberg keeps microseconds; Trino's bare `timestamp` keeps milliseconds and is
   refused in an Iceberg table. -#}
{% macro timestamp_type() -%}
    {{ return(adapter.dispatch('timestamp_type', 'watershed')()) }}
{%- endmacro %}

{% macro default__timestamp_type() -%} timestamp {%- endmacro %}

{% macro athena__timestamp_type() -%} timestamp(6) {%- endmacro %}
