{{ config(dist='even', sort=['month', 'origin']) }}

with

flights as (
    select * from {{ ref('fct_flights') }}
),

-- Nothing is lower than the first bound of a band, and what was not observed is in none. A wind that no instrument
-- at an airport has ever measured is a broken reading.
banded as (
    select
        flight_id,
        origin,
        departed_at,
        departure_delay_minutes,
        is_cancelled,
        is_departed_on_time,
        cast(date_trunc('month', flight_date) as date) as month,
        case
            when visibility_miles < 1 then 'under 1'
            when visibility_miles < 3 then '1 to 3'
            when visibility_miles <= 5 then '3 to 5'
            when visibility_miles > 5 then 'over 5'
            else 'unknown'
        end as visibility_band,
        case
            when wind_speed_mph < 8 then 'under 8'
            when wind_speed_mph < 19 then '8 to 19'
            when wind_speed_mph < 25 then '19 to 25'
            when wind_speed_mph < 250 then '25 or more'
            else 'unknown'
        end as wind_band,
        case
            when precipitation_inches = 0 then 'none'
            when precipitation_inches <= 0.1 then 'light'
            when precipitation_inches <= 0.3 then 'moderate'
            when precipitation_inches > 0.3 then 'heavy'
            else 'unknown'
        end as precipitation_band
    from flights
),

counted as (
    select
        month,
        origin,
        visibility_band,
        wind_band,
        precipitation_band,
        count(flight_id) as flights,
        count(departed_at) as departed,
        sum(case when is_cancelled then 1 else 0 end) as cancelled,
        sum(case when is_departed_on_time then 1 else 0 end) as departed_on_time,
        coalesce(sum(departure_delay_minutes), 0) as departure_delay_minutes_sum
    from banded
    group by month, origin, visibility_band, wind_band, precipitation_band
),

final as (
    select
        month,
        origin,
        cast(visibility_band as varchar(10)) as visibility_band,
        cast(wind_band as varchar(10)) as wind_band,
        cast(precipitation_band as varchar(10)) as precipitation_band,
        cast(flights as bigint) as flights,
        cast(departed as bigint) as departed,
        cast(cancelled as bigint) as cancelled,
        cast(departed_on_time as bigint) as departed_on_time,
        cast(departure_delay_minutes_sum as bigint) as departure_delay_minutes_sum,
        {{ ratio('departure_delay_minutes_sum', 'departed') }} as departure_delay_minutes_avg,
        {{ ratio('departed_on_time', 'departed') }} as on_time_departure_rate,
        {{ ratio('cancelled', 'flights') }} as cancellation_rate
    from counted
)

select * from final
