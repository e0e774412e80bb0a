//! What one plugin made of a record, and what the next one says of that, as one
//! verdict. `Source` stays what it is as long as every plugin said it: the record's own.

use super::held::{Held, TooMuch};
use crate::record::{Output, OutputHeaders, Payload, Verdict};

/// One verdict a record, given one answer an output of theirs, in order.
pub fn join(
    verdicts: Vec<Verdict>,
    answers: Vec<Verdict>,
    held: &mut Held,
) -> Result<Vec<Verdict>, TooMuch> {
    let mut answers = answers.into_iter();
    let mut next = move || {
        let none = || Verdict::Fail("no verdict was given".to_owned());
        answers.next().unwrap_or_else(none)
    };
    verdicts
        .into_iter()
        .map(|verdict| match verdict {
            // The answer is about the record itself.
            Verdict::Forward => Ok(next()),
            Verdict::Replace(output) => follow(output, next(), held),
            Verdict::Expand(outputs) => {
                let answered = outputs.into_iter().map(|output| (output, next()));
                // Each output has its answer, also behind one that fails.
                let answered: Vec<_> = answered.collect();
                follow_all(answered, held)
            }
            Verdict::Drop | Verdict::Fail(_) => Ok(verdict),
        })
        .collect()
}

/// The first failure fails the record.
fn follow_all(answered: Vec<(Output, Verdict)>, held: &mut Held) -> Result<Verdict, TooMuch> {
    let mut all = Vec::with_capacity(answered.len());
    for (output, answer) in answered {
        match follow(output, answer, held)? {
            Verdict::Forward => all.push(Output::FORWARD),
            Verdict::Replace(output) => all.push(output),
            Verdict::Expand(outputs) => all.extend(outputs),
            Verdict::Drop => {}
            failed @ Verdict::Fail(_) => return Ok(failed),
        }
    }
    Ok(match all.is_empty() {
        true => Verdict::Drop,
        false => Verdict::Expand(all),
    })
}

/// The answer to one output, as one about its record.
fn follow(output: Output, answer: Verdict, held: &mut Held) -> Result<Verdict, TooMuch> {
    Ok(match answer {
        Verdict::Forward => Verdict::Replace(output),
        Verdict::Replace(own) => Verdict::Replace(over(own, output)),
        Verdict::Expand(mut own) => {
            let Some(last) = own.pop() else {
                return Ok(Verdict::Drop);
            };
            let mut all = Vec::with_capacity(own.len() + 1);
            for own in own {
                let copy = copy_for(&own, &output);
                held.add(std::slice::from_ref(&copy))?;
                all.push(over(own, copy));
            }
            all.push(over(last, output));
            Verdict::Expand(all)
        }
        Verdict::Drop | Verdict::Fail(_) => answer,
    })
}

/// `own`, whose message was what `below` sends.
fn over(own: Output, below: Output) -> Output {
    let payload = |own, below| match own {
        Payload::Source => below,
        Payload::Null | Payload::Bytes(_) => own,
    };
    // A partition is one of its topic's.
    let (topic, partition) = match own.topic {
        Some(_) => (own.topic, own.partition),
        None => (below.topic, own.partition.or(below.partition)),
    };
    Output {
        topic,
        partition,
        timestamp: own.timestamp.or(below.timestamp),
        key: payload(own.key, below.key),
        value: payload(own.value, below.value),
        headers: match (own.headers, below.headers) {
            (OutputHeaders::Source, below) => below,
            (OutputHeaders::Append(own), OutputHeaders::Append(mut below)) => {
                below.extend(own);
                OutputHeaders::Append(below)
            }
            (OutputHeaders::Append(own), OutputHeaders::Only(mut below)) => {
                below.extend(own);
                OutputHeaders::Only(below)
            }
            (own @ OutputHeaders::Append(_), OutputHeaders::Source)
            | (own @ OutputHeaders::Only(_), _) => own,
        },
    }
}

/// What `own` takes from `below`, which is not the last one to take it.
fn copy_for(own: &Output, below: &Output) -> Output {
    let payload = |own: &Payload, below: &Payload| match own {
        Payload::Source => below.clone(),
        Payload::Null | Payload::Bytes(_) => Payload::Null,
    };
    Output {
        topic: below.topic.clone(),
        partition: below.partition,
        timestamp: below.timestamp,
        key: payload(&own.key, &below.key),
        value: payload(&own.value, &below.value),
        headers: match own.headers.keep_source() {
            true => below.headers.clone(),
            false => OutputHeaders::Source,
        },
    }
}
