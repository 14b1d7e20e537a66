{{ config(dist='flight_id', sort='flight_date') }}

with

flights as (
    select * from {{ ref('int_flights') }}
),

final as (
    select
        flight_id,
        flight_date,
        carrier,
        flight_number,
        tail_number,
        aircraft_key,
        origin,
        destination,
        cast(origin || '-' || destination as varchar(7)) as route,
        distance_miles,
        status,
        scheduled_departure_at,
        -- The clock may show 24:00 for midnight.
        cast(mod(cast(substring(scheduled_departure_local_time, 1, 2) as integer), 24) as integer)
            as scheduled_departure_hour,
        departed_at,
        departure_delay_minutes,
        arrived_at,
        arrival_delay_minutes,
        air_time_minutes,
        weather_observed_at,
        temperature_fahrenheit,
        wind_speed_mph,
        wind_gust_mph,
        precipitation_inches,
        visibility_miles,
        status = 'cancelled' as is_cancelled,
        status = 'diverted' as is_diverted,
        departure_delay_minutes < 15 as is_departed_on_time,
        arrival_delay_minutes < 15 as is_arrived_on_time
    from flights
)

select * from final
