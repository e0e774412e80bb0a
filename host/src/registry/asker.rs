//! Asks one question until it has an answer, however long the registry is not
//! well. Each question is a task of the registry's thread.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::answer::Trouble;
use super::client::Client;
use super::documents::{Document, Documents, Identified, to_register};
use super::endpoint::{is_step, segment};
use super::health::Health;
use super::references::resolve;
use super::table::{Ask, Question, Table};
use super::{Kind, NewSchema, Pace, Registered};

/// How often something must be missing to be called so.
const MISSES: u32 = 2;

pub struct Asker {
    client: Client,
    documents: Documents,
    table: Table,
    health: Mutex<Health>,
    /// Wakes the questions that pause, once one of them has its answer.
    well: Notify,
    pace: Pace,
}

impl Asker {
    pub fn new(client: Client, table: Table, pace: Pace) -> Self {
        Self {
            client,
            documents: Documents::default(),
            table,
            health: Mutex::new(Health::new()),
            well: Notify::new(),
            pace,
        }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Asks until there is an answer, and puts it into the table.
    pub async fn answer(&self, Ask { question, misses }: Ask) {
        let mut misses = misses;
        let mut pause = self.pace.retry;
        let mut is_ill = false;
        loop {
            match self.ask(&question).await {
                Ok(registered) => {
                    self.table.ready(&question, registered, Instant::now());
                    break;
                }
                Err(Trouble::Missing(why)) => {
                    misses += 1;
                    // A refusal is not a matter of time.
                    if misses >= MISSES || matches!(question, Question::Register(..)) {
                        let why = format!("{question}: {why}");
                        self.table.missing(&question, why.into(), Instant::now());
                        break;
                    }
                    sleep(self.pace.confirm).await;
                }
                Err(Trouble::Fault(why)) => {
                    let what = question.to_string();
                    self.health().fails(!is_ill, &what, &why, Instant::now());
                    self.table.fault(&question, why.into());
                    is_ill = true;
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = self.well.notified() => {}
                    }
                    pause = (pause * 2).min(self.pace.retry_at_most);
                }
            }
        }
        if is_ill {
            self.recovered();
        }
    }

    /// A question has its answer after faults.
    pub fn recovered(&self) {
        self.health().recovers(Instant::now());
        self.well.notify_waiters();
    }

    async fn ask(&self, question: &Question) -> Result<Registered, Trouble> {
        match question {
            Question::Id(id) => {
                let document = self.client.get(&format!("/schemas/ids/{id}")).await?;
                self.registered(Some(*id), document, question).await
            }
            Question::Version(subject, version) => {
                let version = version.to_string();
                let document = self.client.get(&path(subject, &version)?).await?;
                self.registered(None, document, question).await
            }
            Question::Latest(subject) => {
                let document = self.client.get(&path(subject, "latest")?).await?;
                self.registered(None, document, question).await
            }
            Question::Register(subject, schema) => self.register(subject, schema).await,
            Question::Find(subject, schema) => self.find(subject, schema).await,
        }
    }

    /// A schema with all that it needs. `id`: what it was asked by.
    async fn registered(
        &self,
        id: Option<u32>,
        document: Document,
        question: &Question,
    ) -> Result<Registered, Trouble> {
        let Some(id) = id.or(document.id) else {
            return Err(Trouble::Fault(format!(
                "the answer to {question} names no id"
            )));
        };
        let Some(kind) = Kind::named(document.kind.as_deref()) else {
            return Err(Trouble::Missing(format!(
                "it is of a type that Millrace does not know: {}",
                document.kind.unwrap_or_default()
            )));
        };
        let references = document.references.unwrap_or_default();
        Ok(Registered {
            id,
            kind,
            text: document.schema,
            references: resolve(&self.client, &self.documents, &references).await?,
        })
    }

    /// The id that a schema has under a subject.
    async fn find(&self, subject: &str, schema: &NewSchema) -> Result<Registered, Trouble> {
        if is_step(subject) {
            return Err(no_subject(subject));
        }
        let path = format!("/subjects/{}", segment(subject));
        let found = self.client.post(&path, to_register(schema)).await;
        let Identified { id } = found.map_err(|trouble| match trouble {
            Trouble::Missing(why) => Trouble::Missing(format!(
                "the schema is not registered under subject {subject} (encode.register = true \
                 registers it): {why}"
            )),
            fault => fault,
        })?;
        let references = resolve(&self.client, &self.documents, &schema.references).await?;
        Ok(Registered {
            id,
            kind: schema.kind,
            text: schema.text.clone(),
            references,
        })
    }

    async fn register(&self, subject: &str, schema: &NewSchema) -> Result<Registered, Trouble> {
        if is_step(subject) {
            return Err(no_subject(subject));
        }
        // Before, so that a fault does not register it twice.
        let references = resolve(&self.client, &self.documents, &schema.references).await?;
        let path = format!("/subjects/{}/versions", segment(subject));
        let Identified { id } = self.client.post(&path, to_register(schema)).await?;
        Ok(Registered {
            id,
            kind: schema.kind,
            text: schema.text.clone(),
            references,
        })
    }

    #[cfg(test)]
    pub fn failing(&self) -> usize {
        self.health().failing()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(subject: &str, version: &str) -> Result<String, Trouble> {
    match is_step(subject) {
        true => Err(no_subject(subject)),
        false => Ok(format!("/subjects/{}/versions/{version}", segment(subject))),
    }
}

fn no_subject(subject: &str) -> Trouble {
    Trouble::Missing(format!("no subject can be called {subject:?}"))
}
