-- Late binding on Redshift: dbt replaces the table below by dropping it, which would take a bound view with it.
{{ config(materialized='view', bind=false) }}
{% set so_far = 'partition by month, carrier, origin order by flight_date rows unbounded preceding' %}

with

daily as (
    select * from {{ ref('agg_on_time_daily') }}
),

dates as (
    select distinct
        flight_date,
        cast(date_trunc('month', flight_date) as date) as month
    from daily
),

pairs as (
    select
        cast(date_trunc('month', flight_date) as date) as month,
        carrier,
        origin,
        max(carrier_name) as carrier_name
    from daily
    group by cast(date_trunc('month', flight_date) as date), carrier, origin
),

-- Each airline and origin on each date of the month, flights or not: else a sum over airlines would miss those that did
-- not fly on that very date.
spread as (
    select
        dates.flight_date,
        pairs.month,
        pairs.carrier,
        pairs.carrier_name,
        pairs.origin,
        coalesce(daily.flights, 0) as flights,
        coalesce(daily.departed, 0) as departed,
        coalesce(daily.cancelled, 0) as cancelled,
        coalesce(daily.diverted, 0) as diverted,
        coalesce(daily.departed_on_time, 0) as departed_on_time,
        coalesce(daily.arrivals_measured, 0) as arrivals_measured,
        coalesce(daily.arrived_on_time, 0) as arrived_on_time,
        coalesce(daily.departure_delay_minutes_sum, 0) as departure_delay_minutes_sum,
        coalesce(daily.arrival_delay_minutes_sum, 0) as arrival_delay_minutes_sum
    from dates
    inner join pairs on dates.month = pairs.month
    left join daily
        on
            dates.flight_date = daily.flight_date
            and pairs.carrier = daily.carrier
            and coalesce(pairs.origin, '') = coalesce(daily.origin, '')
),

added as (
    select
        month,
        flight_date,
        carrier,
        carrier_name,
        origin,
        sum(flights) over ({{ so_far }}) as flights,
        sum(departed) over ({{ so_far }}) as departed,
        sum(cancelled) over ({{ so_far }}) as cancelled,
        sum(diverted) over ({{ so_far }}) as diverted,
        sum(departed_on_time) over ({{ so_far }}) as departed_on_time,
        sum(arrivals_measured) over ({{ so_far }}) as arrivals_measured,
        sum(arrived_on_time) over ({{ so_far }}) as arrived_on_time,
        sum(departure_delay_minutes_sum) over ({{ so_far }}) as departure_delay_minutes_sum,
        sum(arrival_delay_minutes_sum) over ({{ so_far }}) as arrival_delay_minutes_sum
    from spread
),

final as (
    select
        month,
        flight_date,
        carrier,
        carrier_name,
        origin,
        {{ typed_punctuality('added') }},
        {{ ratio('departure_delay_minutes_sum', 'departed') }} as departure_delay_minutes_avg,
        {{ ratio('departed_on_time', 'departed') }} as on_time_departure_rate,
        {{ ratio('arrived_on_time', 'arrivals_measured') }} as on_time_arrival_rate,
        {{ ratio('cancelled', 'flights') }} as cancellation_rate
    from added
)

select * from final
