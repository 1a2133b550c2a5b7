use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisResult, cmd};

#[tokio::main(flavor = "current_thread")]
async fn main() -> RedisResult<()> {
    let socket = std::env::args().nth(1).unwrap_or_else(|| "/run/hitd.sock".to_owned());
    let client = Client::open(format!("redis+unix://{socket}"))?;
    // The default is half a second.
    let limit = Some(Duration::from_secs(1));
    let settings = AsyncConnectionConfig::new().set_response_timeout(limit);
    let mut redis = client.get_multiplexed_async_connection_with_config(&settings).await?;

    println!("{}", cmd("add").arg(2).query_async::<i64>(&mut redis).await?);
    let bytes: Vec<u8> = cmd("reverse").arg(b"\r\0\xff").query_async(&mut redis).await?;
    println!("{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());

    if let Err(error) = cmd("fetch").arg("tea").exec_async(&mut redis).await {
        println!("{} {}", error.code().unwrap_or_default(), error.detail().unwrap_or_default());
    }
    match cmd("nap").arg("3s").exec_async(&mut redis).await {
        Err(error) if error.is_timeout() => println!("no answer in time"),
        other => other?,
    }
    Ok(())
}
