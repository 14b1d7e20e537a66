{# A string under another name: 32 hexadecimal digits, the same for the same string on every engine and in every model,
   so that it joins and counts as the string does; null stays null. Keyed SHA-256, cut to 128 bits. What it protects
   from, and what not: docs/private-data.md.

   The lineage of fields takes what is inside for masked, and nothing else. It compiles the project for a target of its
   own, `lineage`, on which the macro leaves the mark that the lineage looks for: a function that no engine has. -#}
{% macro mask(string) -%}
    {%- if target.name == 'lineage' -%}
        watershed_mask({{ string }})
    {%- else -%}
        {%- set salted = "'" ~ mask_salt() ~ ":' || " ~ string -%}
        cast(substring({{ adapter.dispatch('sha256_hex', 'watershed')(salted) }}, 1, 32) as varchar(32))
    {%- endif -%}
{%- endmacro %}

{% macro default__sha256_hex(string) -%} sha2({{ string }}, 256) {%- endmacro %}

{% macro duckdb__sha256_hex(string) -%} sha256({{ string }}) {%- endmacro %}

{% macro athena__sha256_hex(string) -%} lower(to_hex(sha256(to_utf8({{ string }})))) {%- endmacro %}

{# The key, from the environment. Without it everybody who knows how a string looks could try all of them. Public data on
   one's own machine has nothing to hide, so there it is a word that everybody knows. Not read while dbt parses: the
   result of parsing is kept in a file. -#}
{% macro mask_salt() -%}
    {%- if not execute -%} {{ return('') }} {%- endif -%}
    {%- set environment = env_var('WATERSHED_ENVIRONMENT', 'local') -%}
    {%- set salt = env_var('WATERSHED_MASK_SALT', 'local' if environment in ('local', 'rehearsal') else '') -%}
    {%- if environment not in ('local', 'rehearsal') and not modules.re.match('^[0-9A-Za-z]{32,}$', salt) -%}
        {%- do exceptions.raise_compiler_error(
            'WATERSHED_MASK_SALT is ' ~ ('not set' if not salt else 'no salt') ~ ', and ' ~ model.name ~ ' masks a '
            ~ 'column. Set it, where the ' ~ environment ~ ' environment keeps its secrets, to at least 32 letters and '
            ~ 'digits, such as `openssl rand -hex 32` gives, and keep it: with another salt every masked value is '
            ~ 'another one.'
        ) -%}
    {%- endif -%}
    {{ return(salt) }}
{%- endmacro %}
