{# How punctual flights are, in counts and sums that add up over any group of them. Each mart that has them has all of them:
   rates are made of them anew, never averaged. -#}

{% macro punctuality_of_flights() -%}
        count(flight_id) as flights,
        count(departed_at) as departed,
        sum(case when is_cancelled then 1 else 0 end) as cancelled,
        sum(case when is_diverted then 1 else 0 end) as diverted,
        sum(case when is_departed_on_time then 1 else 0 end) as departed_on_time,
        count(arrival_delay_minutes) as arrivals_measured,
        sum(case when is_arrived_on_time then 1 else 0 end) as arrived_on_time,
        coalesce(sum(departure_delay_minutes), 0) as departure_delay_minutes_sum,
        coalesce(sum(arrival_delay_minutes), 0) as arrival_delay_minutes_sum
{%- endmacro %}

{# The same, in the types that the marts' contracts declare: engines differ in the type of a sum. -#}
{% macro typed_punctuality(relation) -%}
        cast({{ relation }}.flights as bigint) as flights,
        cast({{ relation }}.departed as bigint) as departed,
        cast({{ relation }}.cancelled as bigint) as cancelled,
        cast({{ relation }}.diverted as bigint) as diverted,
        cast({{ relation }}.departed_on_time as bigint) as departed_on_time,
        cast({{ relation }}.arrivals_measured as bigint) as arrivals_measured,
        cast({{ relation }}.arrived_on_time as bigint) as arrived_on_time,
        cast({{ relation }}.departure_delay_minutes_sum as bigint) as departure_delay_minutes_sum,
        cast({{ relation }}.arrival_delay_minutes_sum as bigint) as arrival_delay_minutes_sum
{%- endmacro %}
