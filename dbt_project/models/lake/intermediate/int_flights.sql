{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='flight_id',
        on_schema_change='append_new_columns',
        table_type='iceberg'
    )
}}
{{ lake_partitions(['month(flight_date)']) }}

with

landed_events as (
    select * from {{ ref('stg_flight_events') }}
    {% if is_incremental() %}
    -- Whole flights are merged again, from all their events: those of which something landed since, and in a window
    -- before. Stamps of arrival are not in the order of commits, so `after the newest one` would skip for ever what a
    -- slow lander or a replay commits late.
    where flight_id in (
        select landed.flight_id
        from {{ ref('stg_flight_events') }} as landed
        where landed.landed_at >= (
            select
                coalesce(max(merged.last_landed_at), timestamp '1970-01-01 00:00:00')
                - interval '{{ var("look_back_days") }}' day
            from {{ this }} as merged
        )
    )
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
    from landed_events
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
        row_number() over (
            partition by flight_id
            order by
                case when tail_number is null then 1 else 0 end,
                event_at desc, step desc, received_at desc, event_id desc
        ) as recency_of_tail_number
    from numbered
    where copy_number = 1
),

marked as (
    select
        *,
        case when recency_in_type = 1 then event_type end as newest_of
    from ranked
),

merged as (
    select
        flight_id,

        max(flight_date) filter (where recency = 1) as flight_date,
        max(carrier) filter (where recency = 1) as carrier,
        max(flight_number) filter (where recency = 1) as flight_number,
        max(tail_number) filter (where recency_of_tail_number = 1) as tail_number,

        max(origin) filter (where newest_of = 'scheduled') as origin,
        max(destination) filter (where newest_of = 'scheduled') as destination,
        max(distance_miles) filter (where newest_of = 'scheduled') as distance_miles,
        max(scheduled_departure_at) filter (where newest_of = 'scheduled') as scheduled_departure_at,
        max(scheduled_departure_local_time) filter (where newest_of = 'scheduled') as scheduled_departure_local_time,
        max(scheduled_arrival_local_time) filter (where newest_of = 'scheduled') as scheduled_arrival_local_time,

        max(departed_at) filter (where newest_of = 'departed') as departed_at,
        max(departure_local_time) filter (where newest_of = 'departed') as departure_local_time,
        max(departure_delay_minutes) filter (where newest_of = 'departed') as departure_delay_minutes,

        max(arrived_at) filter (where newest_of = 'arrived') as arrived_at,
        max(arrival_local_time) filter (where newest_of = 'arrived') as arrival_local_time,
        max(arrival_delay_minutes) filter (where newest_of = 'arrived') as arrival_delay_minutes,
        max(air_time_minutes) filter (where newest_of = 'arrived') as air_time_minutes,

        count(*) filter (where event_type = 'diverted') as diversions,
        max(event_type) filter (where recency = 1) as last_event_type,
        max(event_at) filter (where recency = 1) as last_event_at,
        count(*) as event_count,
        max(last_landed_at) as last_landed_at
    from marked
    group by flight_id
),

final as (
    select
        cast(flight_id as varchar(48)) as flight_id,
        cast(flight_date as date) as flight_date,
        cast(carrier as varchar(2)) as carrier,
        cast(flight_number as integer) as flight_number,
        cast(tail_number as varchar(8)) as tail_number,
        cast(origin as varchar(3)) as origin,
        cast(destination as varchar(3)) as destination,
        cast(distance_miles as integer) as distance_miles,
        cast(case when diversions > 0 then 'diverted' else last_event_type end as varchar(10)) as status,

        cast(scheduled_departure_at as {{ timestamp_type() }}) as scheduled_departure_at,
        cast(scheduled_departure_local_time as varchar(5)) as scheduled_departure_local_time,
        cast(scheduled_arrival_local_time as varchar(5)) as scheduled_arrival_local_time,

        cast(departed_at as {{ timestamp_type() }}) as departed_at,
        cast(departure_local_time as varchar(5)) as departure_local_time,
        cast(departure_delay_minutes as integer) as departure_delay_minutes,

        cast(arrived_at as {{ timestamp_type() }}) as arrived_at,
        cast(arrival_local_time as varchar(5)) as arrival_local_time,
        cast(arrival_delay_minutes as integer) as arrival_delay_minutes,
        cast(air_time_minutes as integer) as air_time_minutes,

        cast(last_event_type as varchar(10)) as last_event_type,
        cast(last_event_at as {{ timestamp_type() }}) as last_event_at,
        cast(event_count as integer) as event_count,
        cast(last_landed_at as {{ timestamp_type() }}) as last_landed_at
    from merged
)

select * from final
