{{ config(table_type='iceberg') }}

with

airports as (
    select * from {{ ref('stg_airports') }}
),

ranked as (
    select
        airport,
        airport_name,
        latitude,
        longitude,
        altitude_feet,
        utc_offset_hours,
        dst_rule,
        time_zone,
        row_number() over (
            partition by airport
            order by received_at desc, landed_at desc, object_key desc, object_ordinal desc
        ) as recency
    from airports
),

final as (
    select
        cast(airport as varchar(3)) as airport,
        cast(airport_name as varchar(100)) as airport_name,
        cast(latitude as double precision) as latitude,
        cast(longitude as double precision) as longitude,
        cast(altitude_feet as integer) as altitude_feet,
        cast(utc_offset_hours as numeric(4, 2)) as utc_offset_hours,
        cast(dst_rule as varchar(1)) as dst_rule,
        cast(time_zone as varchar(40)) as time_zone
    from ranked
    where recency = 1
)

select * from final
