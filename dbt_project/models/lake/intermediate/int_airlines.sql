{{ config(table_type='iceberg') }}

with

airlines as (
    select * from {{ ref('stg_airlines') }}
),

ranked as (
    select
        carrier,
        carrier_name,
        row_number() over (
            partition by carrier
            order by received_at desc, landed_at desc, object_key desc, object_ordinal desc
        ) as recency
    from airlines
),

final as (
    select
        cast(carrier as varchar(2)) as carrier,
        cast(carrier_name as varchar(100)) as carrier_name
    from ranked
    where recency = 1
)

select * from final
