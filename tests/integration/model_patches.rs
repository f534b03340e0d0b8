//! The scenarios of two concurrent publishers of a suite with patches, which the [`model`](crate::model) runs in every
//! schedule: a client that uses patches never gets another text than the published one.

use std::sync::Arc;

use object_store::memory::InMemory;
use publish::store::Store;

use crate::{
    auditor::Auditor,
    model::{Actor, Kills, Place, Scenario},
    model_scenarios::{self, ROLLED_BACK, Setup, block_on, outcome, prunes, rolls_back, syncs, verified},
    publisher::{Publisher, memory},
};

fn publisher(store: &Store, second: u64) -> Publisher {
    model_scenarios::publisher(store, second).with_patches()
}

/// An archive to which these packages were added one after the other.
fn archive(setup: &Setup, names: &[&str]) -> Place {
    let objects = Arc::new(InMemory::new());
    let (store, auditor) = (memory().wrapped(|_| objects.clone()), Auditor::of(objects.clone()));
    extended(setup, &store, Place { name: "archive", objects, auditor, end: &[] }, names)
}

fn extended(setup: &Setup, store: &Store, mut place: Place, names: &[&str]) -> Place {
    block_on(async {
        for name in names {
            let second = place.auditor.pointers() as u64;
            publisher(store, second).add(&setup.file(name)).await.unwrap();
            place.auditor.audit().await.unwrap();
        }
    });
    place
}

fn adds(setup: &Setup, name: &str) -> Actor {
    let file = setup.file(name);
    Box::new(move |stores| {
        let file = file.clone();
        Box::pin(async move { outcome(publisher(&stores[0], 10).add(&file).await) })
    })
}

#[test]
fn two_adds_with_patches_race_and_one_may_be_killed() {
    let setup = Setup::new();
    Scenario {
        places: vec![archive(&setup, &["zero", "first"]).ends_with(&[&["zero", "first", "one", "two"]])],
        actors: [adds(&setup, "one"), adds(&setup, "two")],
        kills: Kills::RunAgain,
        symmetric: true,
    }
    .has_no_fault(600);
}

#[test]
fn a_rollback_and_an_add_with_patches_race() {
    let setup = Setup::new();
    Scenario {
        places: vec![archive(&setup, &["zero", "bad"]).ends_with(ROLLED_BACK)],
        actors: [rolls_back(publisher), adds(&setup, "other")],
        kills: Kills::None,
        symmetric: false,
    }
    .has_no_fault(100);
}

#[test]
fn an_add_with_patches_and_a_prune_race() {
    let setup = Setup::new();
    let mut place = archive(&setup, &["zero", "first"]);
    // No client has seen the earlier generations, which are a month old.
    place.auditor = Auditor::of(place.objects.clone());
    block_on(place.auditor.audit()).unwrap();
    Scenario {
        places: vec![place.ends_with(&[&["zero", "first", "one"]])],
        actors: [adds(&setup, "one"), prunes()],
        kills: Kills::None,
        symmetric: false,
    }
    .has_no_fault(50);
}

#[test]
fn an_add_with_patches_and_a_sync_race() {
    let setup = Setup::new();
    let old = archive(&setup, &["zero"]);
    let destination = old.mirrored().named("destination");
    let (store, source) = old.forked();
    let source = extended(&setup, &store, source, &["first"]).named("source");
    let ends: &[&[&str]] = &[&["zero", "first"], &["zero", "first", "one"]];
    Scenario {
        places: vec![source.ends_with(&[&["zero", "first", "one"]]), destination.ends_with(ends)],
        actors: [adds(&setup, "one"), syncs(0, 1)],
        kills: Kills::None,
        symmetric: false,
    }
    .has_no_fault(100);
}

#[test]
fn two_syncs_of_patches_race_and_one_may_be_killed() {
    let setup = Setup::new();
    let old = archive(&setup, &["zero"]);
    let destination = old.mirrored().named("destination").ends_with(&[&["zero", "first"]]);
    let (store, source) = old.forked();
    let source = extended(&setup, &store, source, &["first"]).named("source");
    Scenario {
        places: vec![source.ends_with(&[&["zero", "first"]]), destination],
        actors: [syncs(0, 1), syncs(0, 1)],
        kills: verified(0, 1),
        symmetric: true,
    }
    .has_no_fault(100);
}
