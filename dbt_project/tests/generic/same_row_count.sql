{# Fails if the model has not exactly as many rows as another. -#}
{% test same_row_count(model, compared_with) %}

with

counts as (
    select
        (select count(*) from {{ model }}) as actual,
        (select count(*) from {{ compared_with }}) as expected
)

select * from counts
where actual <> expected

{% endtest %}
