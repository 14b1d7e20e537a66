{# Fails if a column's sum is not the number of rows of another model: an aggregate that lost rows or counted twice. -#}
{% test sum_equals_row_count(model, column, compared_with) %}

with

counts as (
    select
        (select coalesce(sum({{ column }}), 0) from {{ model }}) as actual,
        (select count(*) from {{ compared_with }}) as expected
)

select * from counts
where actual <> expected

{% endtest %}
