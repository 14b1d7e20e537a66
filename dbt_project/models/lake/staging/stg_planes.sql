with

source as (
    select * from {{ source('landing', 'planes') }}
),

final as (
    select
        tailnum as tail_number,
        year as year_made,
        type as aircraft_type,
        manufacturer,
        model as aircraft_model,
        engines as engine_count,
        seats as seat_count,
        speed as cruising_speed_mph,
        engine as engine_type,

        _key as object_key,
        _ordinal as object_ordinal,
        _arrived_at as received_at,
        _landed_at as landed_at
    from source
)

select * from final
