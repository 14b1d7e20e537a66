{# A pre-hook: stops a model from being built by an engine that is not its layer's. The default selectors see to that,
   but they are gone as soon as there is a `--select`, as in `--target redshift --select +fct_flights`. -#}
{% macro built_only_on(engines) -%}
    {%- if execute and target.type not in engines -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ ' is built on ' ~ engines | join(' or ') ~ ', and the target ' ~ target.name ~ ' is '
            ~ target.type ~ '. Leave it out of --select (write no + before a model of the other layer), or choose '
            ~ 'another --target.'
        ) -%}
    {%- endif -%}
{%- endmacro %}
