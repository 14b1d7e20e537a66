{# Configuration that only Athena's adapter knows, for a model's config(): the others complain of keys that they do not
   know. -#}
{% macro athena_config(keys) -%}
    {{ return(keys if target.type == 'athena' else {}) }}
{%- endmacro %}
