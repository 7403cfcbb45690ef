//! `berth admin`: what operators do on the server itself, also while it serves.

mod server;

use std::io::Read;

use clap::{Args, Subcommand};
use domain::clock::Random;
use domain::id::hex;
use domain::idempotency::IdempotencyKey;
use domain::job::{self, JobId};
use domain::money::Money;
use domain::page::Page;
use domain::user::{self, Email, Operator, Password, SignUp, Username};
use domain::wallet::{self, Book, PostingId};

use super::{Outcome, setup};
use crate::auth::Argon2Passwords;
use crate::config::Config;
use crate::system::SystemRandom;

#[derive(Subcommand)]
pub enum Admin {
    /// Make an operator's account
    CreateOperator {
        #[arg(long)]
        username: String,
        #[arg(long)]
        email: String,
        /// Read the password from standard input; without this one is made and printed
        #[arg(long)]
        password_stdin: bool,
    },
    /// Book money that came in
    Deposit(Booking),
    /// Correct a balance, in either direction but never below zero
    Adjust(Booking),
    /// List users
    Users,
    /// List, offer, change, price and retire servers
    Server {
        #[command(subcommand)]
        what: server::Server,
    },
    /// List jobs that failed too often
    DeadJobs,
    /// Queue a dead job again
    RetryJob {
        /// As `dead-jobs` lists it
        id: String,
    },
}

#[derive(Args)]
pub struct Booking {
    /// Whose wallet
    #[arg(long)]
    username: String,
    /// Such as 100.00
    #[arg(long, allow_hyphen_values = true)]
    amount: String,
    /// The wallet's owner sees it
    #[arg(long)]
    reason: String,
    /// The transaction that this adjustment corrects
    #[arg(long)]
    corrects: Option<String>,
    /// Books once however often the command is run with this key
    #[arg(long)]
    idempotency_key: Option<String>,
}

/// Runs a command of the console.
pub async fn run(config: &Config, what: &Admin) -> Outcome {
    match what {
        Admin::CreateOperator { username, email, password_stdin } => {
            create_operator(config, username, email, *password_stdin).await
        }
        Admin::Deposit(booking) => book(config, booking, true).await,
        Admin::Adjust(booking) => book(config, booking, false).await,
        Admin::Users => list_users(config).await,
        Admin::Server { what } => server::run(config, what).await,
        Admin::DeadJobs => {
            let database = setup::database(config).await?;
            for job in job::dead(&database, &Operator::Console).await? {
                let error = job.last_error.unwrap_or_default();
                say!("{}  {:?}  {} attempts  {error}", job.id, job.kind, job.attempts);
            }
            Ok(())
        }
        Admin::RetryJob { id } => {
            let id = JobId::parse(id).ok_or("a job's id is 24 hexadecimal characters")?;
            let database = setup::database(config).await?;
            let clock = setup::clock(config, &database).await?;
            job::retry(&database, clock.as_ref(), &Operator::Console, id).await?;
            say!("Queued.");
            Ok(())
        }
    }
}

async fn create_operator(
    config: &Config,
    username: &str,
    email: &str,
    password_stdin: bool,
) -> Outcome {
    let (password, made) = if password_stdin {
        let mut text = String::new();
        std::io::stdin().take(1_024).read_to_string(&mut text)?;
        (Password::parse(text.trim_end_matches(['\r', '\n']))?, None)
    } else {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes);
        let text = hex(&bytes);
        (Password::parse(&text)?, Some(text))
    };
    let request = SignUp {
        username: Username::parse(username)?,
        email: Email::parse(email)?,
        password,
        alias: None,
        from: None,
    };
    let database = setup::database(config).await?;
    let passwords = Argon2Passwords::default();
    let clock = setup::clock(config, &database).await?;
    let (clock, random) = (clock.as_ref(), &SystemRandom);
    let operator = user::create_operator(&database, clock, random, &passwords, request).await?;
    say!("Made the operator {} ({}).", operator.username, operator.id);
    if let Some(text) = made {
        say!("Password: {text}");
    }
    Ok(())
}

async fn book(config: &Config, booking: &Booking, is_deposit: bool) -> Outcome {
    let corrects = booking.corrects.as_deref().map(|text| {
        PostingId::parse(text).ok_or("a transaction's id is 24 hexadecimal characters")
    });
    let corrects = corrects.transpose()?;
    let key = booking.idempotency_key.as_deref().map(IdempotencyKey::parse).transpose()?;
    let request = Book {
        operator: Operator::Console,
        username: booking.username.clone(),
        amount: Money::parse(&booking.amount)
            .ok_or("the amount must be a number such as 100.00")?,
        reason: booking.reason.clone(),
        corrects,
        idempotency_key: key,
    };
    let database = setup::database(config).await?;
    let clock = setup::clock(config, &database).await?;
    let (clock, random) = (clock.as_ref(), &SystemRandom);
    let booked = if is_deposit {
        wallet::deposit(&database, clock, random, request).await
    } else {
        wallet::adjust(&database, clock, random, request).await
    };
    let booked = booked?;
    let currency = &config.settings.currency;
    say!(
        "Booked {} {currency} for {} as transaction {}; the balance is {} {currency}.",
        booked.amount,
        booking.username,
        booked.id,
        booked.balance
    );
    Ok(())
}

async fn list_users(config: &Config) -> Outcome {
    let database = setup::database(config).await?;
    let mut page = Page { after: None, limit: Some(500) };
    loop {
        let users = user::all(&database, &Operator::Console, page).await?;
        for user in users.rows {
            say!("{}  {:?}  {}  {}", user.id, user.role, user.username, user.email);
        }
        let Some(next) = users.next else {
            return Ok(());
        };
        page = Page { after: Some(next), limit: Some(500) };
    }
}
