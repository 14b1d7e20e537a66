{# A range of days that is rebuilt: vars rebuild_from and rebuild_to, ISO dates, both inclusive, local dates of the
   scheduled departure. A model that can be rebuilt so says in meta.rebuilt by which columns, and from which model. -#}

{# Whether this run rebuilds a range of days. Raises if the vars are no range. -#}
{% macro days_are_rebuilt() -%}
    {%- set first, last = var('rebuild_from', none), var('rebuild_to', none) -%}
    {%- set iso_date = '^\\d{4}-\\d{2}-\\d{2}$' -%}
    {%- if first is none and last is none -%}
        {{ return(false) }}
    {%- elif not (modules.re.match(iso_date, first | string) and modules.re.match(iso_date, last | string)) -%}
        {%- do exceptions.raise_compiler_error(
            'rebuild_from is ' ~ first ~ ' and rebuild_to is ' ~ last ~ '. Give both, as dates: --vars '
            ~ "'{rebuild_from: 2013-01-05, rebuild_to: 2013-01-10}'."
        ) -%}
    {%- elif first | string > last | string -%}
        {%- do exceptions.raise_compiler_error(
            'rebuild_from, ' ~ first ~ ', is after rebuild_to, ' ~ last ~ '. Swap them.'
        ) -%}
    {%- else -%}
        {{ return(true) }}
    {%- endif -%}
{%- endmacro %}

{# A condition: a date is one of the rebuilt days. Both vars are checked to be dates above. -#}
{% macro in_rebuilt_days(date) -%}
    {{ date }} between cast('{{ var("rebuild_from") }}' as date) and cast('{{ var("rebuild_to") }}' as date)
{%- endmacro %}

{# A post-hook: deletes the rows of the rebuilt days whose key is not among the source's any more. It runs once the
   others have been merged, so that a run that ends in between leaves old rows and loses none. -#}
{% macro delete_vanished(date, key, source) -%}
    {%- if days_are_rebuilt() -%}
        delete from {{ this }}
        where
            {{ in_rebuilt_days(date) }}
            and {{ key }} not in (select {{ key }} from {{ source }})
    {%- endif -%}
{%- endmacro %}
