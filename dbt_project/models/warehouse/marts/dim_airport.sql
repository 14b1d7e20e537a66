{{ config(dist='all', sort='airport') }}

with

airports as (
    select * from {{ ref('int_airports') }}
),

final as (
    select
        airport,
        airport_name,
        latitude,
        longitude,
        altitude_feet,
        utc_offset_hours,
        dst_rule,
        time_zone
    from airports
)

select * from final
