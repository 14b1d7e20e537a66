{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='flight_id',
        on_schema_change='append_new_columns',
        table_type='iceberg',
        post_hook="{{ delete_vanished('flight_date', 'flight_id', ref('stg_flight_events')) }}"
    )
}}
{{ lake_partitions(['month(flight_date)']) }}

with

events as (
    select * from {{ ref('stg_flight_events') }}
),

weather as (
    select * from {{ ref('int_weather') }}
),

{% if is_incremental() %}
-- Stamps of landing are not in the order of commits: `later than the newest one` would skip for ever what a slow lander
-- or a replay commits with an older stamp. Hence a window before the newest one, of var look_back_days: one for the
-- events and one for the weather, which come from sources of their own.
look_back as (
    select
        coalesce(max(last_landed_at), timestamp '1970-01-01 00:00:00')
        - interval '{{ var("look_back_days") }}' day as events_since,
        coalesce(max(weather_landed_at), timestamp '1970-01-01 00:00:00')
        - interval '{{ var("look_back_days") }}' day as weather_since
    from {{ this }}
),

recent_weather as (
    select
        weather.airport,
        weather.observed_at,
        weather.landed_at
    from weather
    cross join look_back
    where weather.landed_at >= look_back.weather_since
),

touched as (
    select events.flight_id
    from events
    cross join look_back
    where events.landed_at >= look_back.events_since

    union

    -- Weather that came after its flights, or was corrected since: it is another one than they were merged with.
    select merged_before.flight_id
    from {{ this }} as merged_before
    inner join recent_weather
        on
            merged_before.origin = recent_weather.airport
            and date_trunc('hour', merged_before.scheduled_departure_at) = recent_weather.observed_at
    where merged_before.weather_landed_at is distinct from recent_weather.landed_at
    {% if days_are_rebuilt() %}

    union

    select events.flight_id
    from events
    where {{ in_rebuilt_days('events.flight_date') }}

    union

    select merged_before.flight_id
    from {{ this }} as merged_before
    where {{ in_rebuilt_days('merged_before.flight_date') }}
    {% endif %}
),
{% endif %}

-- A flight is merged again as a whole, from all its events.
landed as (
    select * from events
    {% if is_incremental() %}
    where flight_id in (select flight_id from touched)
    {% endif %}
),

-- A producer that retries sends an event again, under the same identifier. The copy that was received first counts.
numbered as (
    select
        *,
        row_number() over (
            partition by event_id
            order by received_at, landed_at, shard_id, sequence_number, sub_sequence_number
        ) as copy_number,
        max(landed_at) over (partition by flight_id) as last_landed_at,
        -- A scheduled event tells what is planned. Its time is the planned departure, which an early flight precedes:
        -- it is older than whatever happened. At the same time, the later step of a flight is the newer event.
        case event_type
            when 'scheduled' then 0
            when 'departed' then 1
            when 'cancelled' then 2
            when 'diverted' then 3
            when 'arrived' then 4
        end as step
    from landed
),

ranked as (
    select
        *,
        row_number() over (
            partition by flight_id
            order by
                case when step > 0 then 1 else 0 end desc,
                event_at desc, step desc, received_at desc, event_id desc
        ) as recency,
        row_number() over (
            partition by flight_id, event_type
            order by event_at desc, received_at desc, event_id desc
        ) as recency_in_type,
        count(event_id) over (partition by flight_id) as event_count
    from numbered
    where copy_number = 1
),

-- At most one event of each type is left of a flight, its newest one.
merged as (
    select
        flight_id,

        max(case when recency = 1 then flight_date end) as flight_date,
        max(case when recency = 1 then carrier end) as carrier,
        max(case when recency = 1 then flight_number end) as flight_number,
        -- The aircraft is told by the last step that knows it.
        coalesce(
            max(case when event_type = 'arrived' then tail_number end),
            max(case when event_type = 'diverted' then tail_number end),
            max(case when event_type = 'cancelled' then tail_number end),
            max(case when event_type = 'departed' then tail_number end),
            max(case when event_type = 'scheduled' then tail_number end)
        ) as tail_number,

        max(case when event_type = 'scheduled' then origin end) as origin,
        max(case when event_type = 'scheduled' then destination end) as destination,
        max(case when event_type = 'scheduled' then distance_miles end) as distance_miles,
        max(case when event_type = 'scheduled' then scheduled_departure_at end) as scheduled_departure_at,
        max(case when event_type = 'scheduled' then scheduled_departure_local_time end)
            as scheduled_departure_local_time,
        max(case when event_type = 'scheduled' then scheduled_arrival_local_time end) as scheduled_arrival_local_time,

        max(case when event_type = 'departed' then departed_at end) as departed_at,
        max(case when event_type = 'departed' then departure_local_time end) as departure_local_time,
        max(case when event_type = 'departed' then departure_delay_minutes end) as departure_delay_minutes,

        max(case when event_type = 'arrived' then arrived_at end) as arrived_at,
        max(case when event_type = 'arrived' then arrival_local_time end) as arrival_local_time,
        max(case when event_type = 'arrived' then arrival_delay_minutes end) as arrival_delay_minutes,
        max(case when event_type = 'arrived' then air_time_minutes end) as air_time_minutes,

        max(case when event_type = 'diverted' then 1 else 0 end) as was_diverted,
        max(case when recency = 1 then event_type end) as last_event_type,
        max(case when recency = 1 then event_at end) as last_event_at,
        max(event_count) as event_count,
        max(last_landed_at) as last_landed_at
    from ranked
    where recency_in_type = 1
    group by flight_id
),

-- The weather of the hours in which these flights were to leave, and no other, is joined.
hours as (
    select
        min(date_trunc('hour', scheduled_departure_at)) as first_hour,
        max(date_trunc('hour', scheduled_departure_at)) as last_hour
    from merged
),

observations as (
    select
        weather.airport,
        weather.observed_at,
        weather.temperature_fahrenheit,
        weather.wind_direction_degrees,
        weather.wind_speed_mph,
        weather.wind_gust_mph,
        weather.precipitation_inches,
        weather.visibility_miles,
        weather.landed_at
    from weather
    inner join hours on weather.observed_at between hours.first_hour and hours.last_hour
),

final as (
    select
        cast(merged.flight_id as varchar(48)) as flight_id,
        cast(merged.flight_date as date) as flight_date,
        cast(merged.carrier as varchar(2)) as carrier,
        cast(merged.flight_number as integer) as flight_number,
        cast(merged.tail_number as varchar(8)) as tail_number,
        {{ mask('merged.tail_number') }} as aircraft_key,
        cast(merged.origin as varchar(3)) as origin,
        cast(merged.destination as varchar(3)) as destination,
        cast(merged.distance_miles as integer) as distance_miles,
        cast(
            case when merged.was_diverted = 1 then 'diverted' else merged.last_event_type end as varchar(10)
        ) as status,

        cast(merged.scheduled_departure_at as {{ timestamp_type() }}) as scheduled_departure_at,
        cast(merged.scheduled_departure_local_time as varchar(5)) as scheduled_departure_local_time,
        cast(merged.scheduled_arrival_local_time as varchar(5)) as scheduled_arrival_local_time,

        cast(merged.departed_at as {{ timestamp_type() }}) as departed_at,
        cast(merged.departure_local_time as varchar(5)) as departure_local_time,
        cast(merged.departure_delay_minutes as integer) as departure_delay_minutes,

        cast(merged.arrived_at as {{ timestamp_type() }}) as arrived_at,
        cast(merged.arrival_local_time as varchar(5)) as arrival_local_time,
        cast(merged.arrival_delay_minutes as integer) as arrival_delay_minutes,
        cast(merged.air_time_minutes as integer) as air_time_minutes,

        cast(observations.observed_at as {{ timestamp_type() }}) as weather_observed_at,
        cast(observations.temperature_fahrenheit as double precision) as temperature_fahrenheit,
        cast(observations.wind_direction_degrees as integer) as wind_direction_degrees,
        cast(observations.wind_speed_mph as double precision) as wind_speed_mph,
        cast(observations.wind_gust_mph as double precision) as wind_gust_mph,
        cast(observations.precipitation_inches as double precision) as precipitation_inches,
        cast(observations.visibility_miles as double precision) as visibility_miles,

        cast(merged.last_event_type as varchar(10)) as last_event_type,
        cast(merged.last_event_at as {{ timestamp_type() }}) as last_event_at,
        cast(merged.event_count as integer) as event_count,
        cast(merged.last_landed_at as {{ timestamp_type() }}) as last_landed_at,
        cast(observations.landed_at as {{ timestamp_type() }}) as weather_landed_at
    from merged
    left join observations
        on
            merged.origin = observations.airport
            and date_trunc('hour', merged.scheduled_departure_at) = observations.observed_at
)

select * from final
