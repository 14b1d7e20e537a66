{{ config(dist='all', sort='tail_number') }}

with

planes as (
    select * from {{ ref('int_planes') }}
),

final as (
    select
        tail_number,
        year_made,
        aircraft_type,
        manufacturer,
        aircraft_model,
        engine_count,
        seat_count,
        cruising_speed_mph,
        engine_type
    from planes
)

select * from final
