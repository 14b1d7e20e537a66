with

source as (
    select * from {{ source('landing', 'airlines') }}
),

final as (
    select
        carrier,
        name as carrier_name,

        _key as object_key,
        _ordinal as object_ordinal,
        _arrived_at as received_at,
        _landed_at as landed_at
    from source
)

select * from final
