{# A model's schema is its layer's, the same in every environment and not behind a prefix of the target's.
   Redshift sees the lake through an external schema: under it a lake model's name leads there, so `ref` crosses
   from warehouse to lake. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if target.type == 'redshift' and 'lake' in node.fqn[:2] -%}
        {{ var('spectrum_schema') }}
    {%- else -%}
        {{ (custom_schema_name or target.schema) | trim }}
    {%- endif -%}
{%- endmacro %}
