{{ config(table_type='iceberg') }}

with

planes as (
    select * from {{ ref('stg_planes') }}
),

ranked as (
    select
        tail_number,
        year_made,
        aircraft_type,
        manufacturer,
        aircraft_model,
        engine_count,
        seat_count,
        cruising_speed_mph,
        engine_type,
        row_number() over (
            partition by tail_number
            order by received_at desc, landed_at desc, object_key desc, object_ordinal desc
        ) as recency
    from planes
),

final as (
    select
        cast(tail_number as varchar(8)) as tail_number,
        cast(year_made as integer) as year_made,
        cast(aircraft_type as varchar(40)) as aircraft_type,
        cast(manufacturer as varchar(60)) as manufacturer,
        cast(aircraft_model as varchar(40)) as aircraft_model,
        cast(engine_count as integer) as engine_count,
        cast(seat_count as integer) as seat_count,
        cast(cruising_speed_mph as integer) as cruising_speed_mph,
        cast(engine_type as varchar(20)) as engine_type
    from ranked
    where recency = 1
)

select * from final
