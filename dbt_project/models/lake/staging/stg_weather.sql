with

source as (
    select * from {{ source('landing', 'weather') }}
),

final as (
    select
        origin as airport,
        time_hour as observed_at,
        temp as temperature_fahrenheit,
        dewp as dew_point_fahrenheit,
        humid as relative_humidity_percent,
        wind_dir as wind_direction_degrees,
        wind_speed as wind_speed_mph,
        wind_gust as wind_gust_mph,
        precip as precipitation_inches,
        pressure as pressure_millibars,
        visib as visibility_miles,

        _key as object_key,
        _ordinal as object_ordinal,
        _arrived_at as received_at,
        _landed_at as landed_at
    from source
)

select * from final
