with

source as (
    select * from {{ source('landing', 'flight_events') }}
),

final as (
    select
        event_id,
        flight_id,
        event_type,
        event_time as event_at,

        flight.date as flight_date,
        flight.carrier as carrier,
        flight.number as flight_number,
        flight.tail_number as tail_number,

        {{ first_element('legs') }}.origin as origin,
        {{ last_element('legs') }}.destination as destination,
        {{ sum_over('legs', 'distance_miles') }} as distance_miles,

        schedule.departure_at as scheduled_departure_at,
        schedule.departure_local_time as scheduled_departure_local_time,
        schedule.arrival_local_time as scheduled_arrival_local_time,

        departure.departed_at as departed_at,
        departure.local_time as departure_local_time,
        departure.delay_minutes as departure_delay_minutes,

        arrival.arrived_at as arrived_at,
        arrival.local_time as arrival_local_time,
        arrival.delay_minutes as arrival_delay_minutes,
        arrival.air_time_minutes as air_time_minutes,

        _shard_id as shard_id,
        _sequence_number as sequence_number,
        _sub_sequence_number as sub_sequence_number,
        _arrived_at as received_at,
        _landed_at as landed_at
    from source
)

select * from final
