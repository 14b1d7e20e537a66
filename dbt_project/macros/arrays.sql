{# Arrays of structs, as they have landed. All give null for an array that is null. -#}

{# The first element; null if there is none. -#}
{% macro first_element(array) -%}
    {{ return(adapter.dispatch('first_element', 'watershed')(array)) }}
{%- endmacro %}

{% macro default__first_element(array) -%} element_at({{ array }}, 1) {%- endmacro %}

{% macro duckdb__first_element(array) -%} {{ array }}[1] {%- endmacro %}

{# The last element; null if there is none. -#}
{% macro last_element(array) -%}
    {{ return(adapter.dispatch('last_element', 'watershed')(array)) }}
{%- endmacro %}

{% macro default__last_element(array) -%} element_at({{ array }}, -1) {%- endmacro %}

{% macro duckdb__last_element(array) -%} {{ array }}[-1] {%- endmacro %}

{# The sum of a field over the elements; null if one of them lacks it, 0 if there are none. -#}
{% macro sum_over(array, field) -%}
    {{ return(adapter.dispatch('sum_over', 'watershed')(array, field)) }}
{%- endmacro %}

{% macro default__sum_over(array, field) -%}
    reduce({{ array }}, cast(0 as bigint), (total, element) -> total + element.{{ field }}, total -> total)
{%- endmacro %}

{% macro duckdb__sum_over(array, field) -%}
    list_reduce(
        list_transform({{ array }}, lambda element: element.{{ field }}),
        lambda total, value: total + value,
        0
    )
{%- endmacro %}
