with

source as (
    select * from {{ source('landing', 'airports') }}
),

final as (
    select
        faa as airport,
        name as airport_name,
        lat as latitude,
        lon as longitude,
        alt as altitude_feet,
        tz as utc_offset_hours,
        dst as dst_rule,
        tzone as time_zone,

        _key as object_key,
        _ordinal as object_ordinal,
        _arrived_at as received_at,
        _landed_at as landed_at
    from source
)

select * from final
