{{ config(dist='even', sort='flight_date') }}

with

flights as (
    select * from {{ ref('fct_flights') }}
),

carriers as (
    select * from {{ ref('dim_carrier') }}
),

counted as (
    select
        flight_date,
        carrier,
        origin,
        {{ punctuality_of_flights() }}
    from flights
    group by flight_date, carrier, origin
),

final as (
    select
        counted.flight_date,
        counted.carrier,
        carriers.carrier_name,
        counted.origin,
        {{ typed_punctuality('counted') }},
        {{ ratio('counted.departure_delay_minutes_sum', 'counted.departed') }} as departure_delay_minutes_avg,
        {{ ratio('counted.departed_on_time', 'counted.departed') }} as on_time_departure_rate,
        {{ ratio('counted.arrived_on_time', 'counted.arrivals_measured') }} as on_time_arrival_rate,
        {{ ratio('counted.cancelled', 'counted.flights') }} as cancellation_rate
    from counted
    left join carriers on counted.carrier = carriers.carrier
)

select * from final
