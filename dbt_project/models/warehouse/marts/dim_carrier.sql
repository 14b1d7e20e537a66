{{ config(dist='all', sort='carrier') }}

with

airlines as (
    select * from {{ ref('int_airlines') }}
),

final as (
    select
        carrier,
        carrier_name
    from airlines
)

select * from final
