//! `consumer test`: a signed challenge now, and what the answer means. Changes nothing.

use std::time::Instant;

use axum::Json;
use axum::extract::State;

use super::requests::Of;
use super::who::{Caller, Right};
use super::wire::Tested;
use super::{Context, Problem};
use crate::audit::{Entry, Outcome, Resource};
use crate::delivery::metrics::Metrics;
use crate::delivery::sender::{Sender, Unusable};
use crate::delivery::sign::sign;
use crate::delivery::verify::{self, Verdict, challenge};

/// Sends the challenge.
pub async fn run(State(context): State<Context>, caller: Caller, Of(key): Of) -> Result<Json<Tested>, Problem> {
    let asker = context.admit(&caller, &Right::update("consumersystems/test", &key)).await?;
    let row = context.consumer(&key).await?;
    let Some(compiled) = &row.compiled else {
        return Err(Problem::Impossible(format!("ConsumerSystem {key} is not valid: see kubectl describe")));
    };
    let Some(keys) = context.signing.get(&key) else {
        let message = format!("ConsumerSystem {key} has no signing secret: see its condition SecretsResolved");
        return Err(Problem::Impossible(message));
    };
    let (delivery, access) = (&compiled.delivery, context.access.get(&key));
    let platform = &context.settings.network.allowed_networks;
    let sender = Sender::new(compiled, access.as_ref(), platform, &Metrics::default()).map_err(|unusable| {
        Problem::Impossible(match unusable {
            Unusable::Net(error) => format!("{error}: check delivery.caBundleRef"),
            Unusable::NoAccess => unusable.to_string(),
        })
    })?;
    let now = context.now();
    let challenge = challenge(&key, now);
    let request = sign(&delivery.url, &challenge.id, challenge.body, &keys.secrets, now)
        .ok_or_else(|| Problem::Impossible("the request could not be made: check delivery.url".to_owned()))?;
    let entry = Entry {
        consumer: Some(key.clone()),
        resource: Some(Resource::named("ConsumerSystem", key.clone())),
        ..Entry::command(now, Outcome::Succeeded, "consumer.test", &asker)
    };
    context.record(entry).await?;

    let began = Instant::now();
    let answer = sender.post(request, delivery.timeout).await;
    let millis = began.elapsed().as_millis() as u64;
    let status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
    let answer = answer.map(|answer| (answer.status, answer.body));
    let (verdict, message) = explain(verify::judge(answer, &challenge.text, delivery.verification));
    tracing::info!(consumer = %key, verdict, status, millis, "a consumer was tested");
    let verified = row.verified.as_deref() == Some(verify::fingerprint(delivery).as_str());
    Ok(Json(Tested { verdict, message, status, millis, signatures: keys.secrets.len(), verified }))
}

fn explain(verdict: Verdict) -> (String, String) {
    match verdict {
        Verdict::Proved => ("Proved".to_owned(), "the address answered as it has to".to_owned()),
        Verdict::Gone => {
            let message = "the receiver answered 410: it says that it is gone for good; change delivery.url, or let it answer 2xx";
            ("Gone".to_owned(), message.to_owned())
        }
        Verdict::NotProved(reason, message) => (reason.to_owned(), message),
    }
}
