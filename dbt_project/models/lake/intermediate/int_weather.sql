{{ config(table_type='iceberg') }}
{{ lake_partitions(['month(observed_at)']) }}

with

observations as (
    select * from {{ ref('stg_weather') }}
),

-- A delivery may be repeated, and an observation corrected: the one that was received last counts.
ranked as (
    select
        *,
        row_number() over (
            partition by airport, observed_at
            order by received_at desc, landed_at desc, object_key desc, object_ordinal desc
        ) as recency
    from observations
),

final as (
    select
        cast(airport as varchar(3)) as airport,
        cast(observed_at as {{ timestamp_type() }}) as observed_at,
        cast(temperature_fahrenheit as double precision) as temperature_fahrenheit,
        cast(dew_point_fahrenheit as double precision) as dew_point_fahrenheit,
        cast(relative_humidity_percent as double precision) as relative_humidity_percent,
        cast(wind_direction_degrees as integer) as wind_direction_degrees,
        cast(wind_speed_mph as double precision) as wind_speed_mph,
        cast(wind_gust_mph as double precision) as wind_gust_mph,
        cast(precipitation_inches as double precision) as precipitation_inches,
        cast(pressure_millibars as double precision) as pressure_millibars,
        cast(visibility_miles as double precision) as visibility_miles,
        cast(landed_at as {{ timestamp_type() }}) as landed_at
    from ranked
    where recency = 1
)

select * from final
