{{ config(dist='even', sort=['month', 'origin']) }}

with

flights as (
    select * from {{ ref('fct_flights') }}
),

carriers as (
    select * from {{ ref('dim_carrier') }}
),

counted as (
    select
        cast(date_trunc('month', flight_date) as date) as month,
        carrier,
        origin,
        destination,
        max(route) as route,
        max(distance_miles) as distance_miles,
        {{ punctuality_of_flights() }},
        count(air_time_minutes) as flown,
        coalesce(sum(air_time_minutes), 0) as air_time_minutes_sum,
        coalesce(sum(case when air_time_minutes is not null then distance_miles end), 0) as flown_miles_sum
    from flights
    group by cast(date_trunc('month', flight_date) as date), carrier, origin, destination
),

final as (
    select
        counted.month,
        counted.carrier,
        carriers.carrier_name,
        counted.origin,
        counted.destination,
        cast(counted.route as varchar(7)) as route,
        cast(counted.distance_miles as integer) as distance_miles,
        {{ typed_punctuality('counted') }},
        cast(counted.flown as bigint) as flown,
        cast(counted.air_time_minutes_sum as bigint) as air_time_minutes_sum,
        cast(counted.flown_miles_sum as bigint) as flown_miles_sum,
        {{ ratio('counted.departure_delay_minutes_sum', 'counted.departed') }} as departure_delay_minutes_avg,
        {{ ratio('counted.arrival_delay_minutes_sum', 'counted.arrivals_measured') }} as arrival_delay_minutes_avg,
        {{ ratio('counted.departed_on_time', 'counted.departed') }} as on_time_departure_rate,
        {{ ratio('counted.arrived_on_time', 'counted.arrivals_measured') }} as on_time_arrival_rate,
        {{ ratio('counted.cancelled', 'counted.flights') }} as cancellation_rate
    from counted
    left join carriers on counted.carrier = carriers.carrier
)

select * from final
