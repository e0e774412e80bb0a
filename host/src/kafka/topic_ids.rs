//! Which topic a name means: Kafka's topic ids (KIP-516), by librdkafka's C
//! interface, which rdkafka's safe one leaves out. A topic that was deleted and made
//! again has another one.

use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::types::{RDKafka, RDKafkaErrorCode, RDKafkaEvent};

use crate::record::TopicId;

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A topic, and how many partitions it has.
    Topic(TopicId, i32),
    /// There is no such topic.
    Nothing,
    /// The broker does not tell.
    Unknown,
}

/// What each of these names means now, in their order.
pub fn meanings<C: ClientContext>(
    client: &Client<C>,
    names: &[String],
    timeout: Duration,
) -> Result<Vec<Meaning>, String> {
    let answer = describe(client.native_ptr(), names, timeout)
        .ok_or_else(|| format!("no answer within {timeout:?}"))?;
    answer.meanings()
}

/// Asks, and waits for the answer. `None`: there is none.
fn describe(client: *mut RDKafka, names: &[String], timeout: Duration) -> Option<Answer> {
    let ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let names: Vec<CString> = names
        .iter()
        .map(|name| CString::new(name.as_str()))
        .collect::<Result<_, _>>()
        .ok()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the client outlives the call. What is made here is destroyed here,
    // and librdkafka copies names and options. The answer is ours, or null.
    let event = unsafe {
        let queue = sys::rd_kafka_queue_new(client);
        let options = sys::rd_kafka_AdminOptions_new(
            client,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(options, ms, ptr::null_mut(), 0);
        let topics =
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        sys::rd_kafka_DescribeTopics(client, topics, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, ms);
        sys::rd_kafka_TopicCollection_destroy(topics);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_queue_destroy(queue);
        event
    };
    NonNull::new(event).map(Answer)
}

/// The event that answers.
struct Answer(NonNull<RDKafkaEvent>);

impl Answer {
    fn meanings(&self) -> Result<Vec<Meaning>, String> {
        let event = self.0.as_ptr();
        // SAFETY: a live event. The result lives as long as it, and so do the `count`
        // descriptions that it holds, their ids and their errors.
        unsafe {
            let code = RDKafkaErrorCode::from(sys::rd_kafka_event_error(event));
            let result = sys::rd_kafka_event_DescribeTopics_result(event);
            if result.is_null() || code != RDKafkaErrorCode::NoError {
                return Err(code.to_string());
            }
            let mut count = 0;
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            (0..count)
                .map(|i| {
                    let topic = *topics.add(i);
                    let error = sys::rd_kafka_TopicDescription_error(topic);
                    match RDKafkaErrorCode::from(sys::rd_kafka_error_code(error)) {
                        RDKafkaErrorCode::NoError => {}
                        RDKafkaErrorCode::UnknownTopicOrPartition => return Ok(Meaning::Nothing),
                        code => return Err(code.to_string()),
                    }
                    let id = sys::rd_kafka_TopicDescription_topic_id(topic);
                    let text = CStr::from_ptr(sys::rd_kafka_Uuid_base64str(id));
                    let mut partitions = 0;
                    sys::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
                    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
                    Ok(match TopicId::read(&text.to_string_lossy()) {
                        Some(id) => Meaning::Topic(id, partitions),
                        None => Meaning::Unknown,
                    })
                })
                .collect()
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: ours, and not used after this.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}
