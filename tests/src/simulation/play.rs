//! One schedule from its beginning to its end: processes with their jobs, deaths and new lives, then calm, then judgement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use repaint_client::{Client, Exchange};
use repaint_core::{
    Budget, Error, ErrorKind, Estimate, Filter, ImageInput, ImageRequest, Job, MediaType, Outcome,
    Period, Policy, Receipt, Registry, Result, Store,
};
use repaint_emulator::{Emulator, InProcess, Seen, Settings, Stage};
use repaint_router::{Calling, Hooks, Once, Router, Task};
use repaint_store::{Memory, Sqlite};
use repaint_testkit::{picture, real_png};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use url::Url;

use super::blocking::{Blocking, block_on};
use super::dice::{Dice, seed_of};
use super::facts::World;
use super::invariants::{End, Invariant, Violation};
use super::life::Life;
use super::sabotage::{BrokenStore, BrokenWay, Sabotage};
use super::schedule::{Schedule, Wish};
use super::watched::{Book, Way};
use crate::linked;

/// What all schedules of one thread share: nothing of it changes but the SQLite file, in which each schedule has
/// an account of its own.
#[derive(Debug)]
pub struct Scene {
    registry: Registry,
    images: Vec<ImageInput>,
    mask: ImageInput,
    base: Url,
    emulators: Mutex<BTreeMap<u64, Emulator>>,
    /// A connection for each process.
    sqlite: Vec<Arc<dyn Store>>,
    accounts: AtomicU32,
}

/// What came of a schedule.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// What happened, line by line, if that was asked for.
    pub trace: Vec<String>,
    /// How many cut points each process had, over all its lives.
    pub points: Vec<u32>,
    /// How many times a process died.
    pub deaths: u32,
    /// Orders that were written down.
    pub orders: u32,
    /// Orders that a provider took.
    pub taken: u32,
    /// How many pictures were kept.
    pub pictures: u32,
    /// The faults that struck, and where.
    pub struck: BTreeSet<(&'static str, &'static str)>,
}

/// The processes that there may be on SQLite at a time.
const CONNECTIONS: usize = 3;
/// After this much calm, nobody holds anything any more.
const CALM: Duration = Duration::from_secs(400);
/// A job that has ended says so within this time of its deadline.
const GRACE: Duration = Duration::from_secs(1);

impl Scene {
    /// A scene whose SQLite file lies in this folder.
    pub fn new(folder: &Path) -> Self {
        let images = (1..=3).map(|it| picture("data", it, super::side(it), MediaType::Png));
        let file = folder.join("store.sqlite");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let sqlite = runtime.expect("a runtime").block_on(async {
            let mut all: Vec<Arc<dyn Store>> = Vec::new();
            for _ in 0..CONNECTIONS {
                let store = Sqlite::connect(&file).await.expect("a store");
                all.push(Arc::new(Blocking(Arc::new(store))));
            }
            all
        });
        Self {
            registry: linked(),
            images: images.collect(),
            mask: picture("data", 9, super::side(1), MediaType::Png),
            base: "http://127.0.0.1:1".parse().expect("an address"),
            emulators: Mutex::default(),
            sqlite,
            accounts: AtomicU32::new(0),
        }
    }

    /// Plays a schedule. Equal ones are played alike.
    pub fn play(&self, schedule: &Schedule, traced: bool) -> Played {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let play = Play::new(self, schedule, traced);
            play.whole().await
        })
    }

    fn emulator(&self, latency_ms: u64) -> Emulator {
        let mut emulators = self.emulators.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let latency = Duration::from_millis(latency_ms);
            Emulator::new(
                &self.registry,
                Settings { latency, thumbnails: true, ..Settings::default() },
            )
        };
        emulators.entry(latency_ms).or_insert_with(new).clone()
    }
}

/// One schedule while it is played. Cheap to clone; all processes share it.
#[derive(Clone, Debug)]
struct Play {
    began: Instant,
    schedule: Arc<Schedule>,
    wishes: Arc<BTreeMap<u32, Wish>>,
    registry: Registry,
    images: Vec<ImageInput>,
    mask: ImageInput,
    base: Url,
    way: InProcess,
    stores: Vec<Arc<dyn Store>>,
    account: Option<String>,
    calm: Arc<AtomicBool>,
    world: Arc<World>,
}

/// What a host is told.
#[derive(Debug)]
struct Told {
    world: Arc<World>,
    process: usize,
}

#[async_trait]
impl Hooks for Told {
    async fn calling(&self, calling: &Calling<'_>) -> Result<()> {
        let job = super::number_of(&calling.request.prompt).unwrap_or(u32::MAX);
        let order = (job, calling.offer.to_owned());
        self.world.facts().orders.insert(calling.order.to_owned(), order);
        Ok(())
    }

    fn called(&self, calling: &Calling<'_>, result: Result<&Outcome, &Error>) {
        self.world.tell(|| {
            let job = super::number_of(&calling.request.prompt).unwrap_or(u32::MAX);
            let ended = match result {
                Ok(outcome) => format!("{} pictures", outcome.images.len()),
                Err(err) => format!("{}: {}", err.kind().code(), err.message()),
            };
            format!("process {} has from {} for job {job}: {ended}", self.process, calling.offer)
        });
    }
}

impl Play {
    fn new(scene: &Scene, schedule: &Schedule, traced: bool) -> Self {
        let world = Arc::new(World::new(traced));
        let schedule = Arc::new(schedule.clone());
        let calm = Arc::new(AtomicBool::new(false));
        let (number, of, quiet) = (AtomicU32::new(0), Arc::clone(&schedule), Arc::clone(&calm));
        let first = AtomicBool::new(true);
        let way = InProcess::new(scene.emulator(schedule.latency_ms)).choosing(move |stage, _| {
            let number = number.fetch_add(1, Ordering::Relaxed);
            if quiet.load(Ordering::Relaxed) {
                return None;
            }
            let drawn = of.faults.get(&number).copied();
            drawn.or_else(|| {
                let (_, fault) = of.first.filter(|(at, _)| *at == stage)?;
                let is_first = first.swap(false, Ordering::Relaxed);
                (is_first || of.lasts).then_some(fault)
            })
        });
        let account = scene.accounts.fetch_add(1, Ordering::Relaxed);
        let stores: Vec<Arc<dyn Store>> = match schedule.sqlite {
            true => scene.sqlite.clone(),
            false => vec![Arc::new(Memory::new())],
        };
        let wishes = schedule.wishes.iter().map(|it| (it.number, it.clone())).collect();
        Self {
            began: Instant::now(),
            wishes: Arc::new(wishes),
            registry: scene.registry.clone(),
            images: scene.images.clone(),
            mask: scene.mask.clone(),
            base: scene.base.clone(),
            way,
            stores,
            account: schedule.sqlite.then(|| format!("schedule-{account}")),
            calm,
            world,
            schedule,
        }
    }

    async fn whole(self) -> Played {
        if let Some(limit) = self.schedule.budget {
            let budget = Budget { account: self.account.clone(), period: Period::Ever, limit };
            self.stores[0].set_budget(&budget).await.expect("a budget can be set");
        }
        let mut processes = JoinSet::new();
        for process in 0..self.schedule.processes() {
            let play = self.clone();
            processes.spawn(async move { (process, play.process(process).await) });
        }
        let mut points = vec![0; self.schedule.processes()];
        while let Some(ended) = processes.join_next().await {
            let (process, counted) = ended.expect("no process panics");
            points[process] = counted;
        }
        self.calm().await;
        self.judged(points).await
    }

    /// All lives of a process; says how many cut points they had.
    async fn process(&self, process: usize) -> u32 {
        let nothing = Vec::new();
        let mut ends = self.schedule.deaths.get(process).unwrap_or(&nothing).iter();
        let begun: Vec<Arc<AtomicBool>> =
            self.schedule.wishes.iter().map(|_| Arc::default()).collect();
        let (mut lives, mut points) = (0, 0);
        loop {
            let life = Life::new(process, &self.world, ends.next().copied());
            let router = self.router(&life, lives);
            let mut tasks = JoinSet::new();
            if 0 < lives {
                tasks.spawn(self.clone().resumes(router.clone()));
            }
            for (wish, begun) in self.schedule.wishes.iter().zip(&begun) {
                // Nobody orders again what was lost, but who has a key asks again.
                let is_lost = begun.load(Ordering::Relaxed) && !wish.keyed;
                if wish.process == process && !is_lost {
                    tasks.spawn(self.clone().wish(router.clone(), wish.clone(), Arc::clone(begun)));
                }
            }
            let all = async { while tasks.join_next().await.is_some() {} };
            let died = {
                let (mut all, mut died) = (std::pin::pin!(all), std::pin::pin!(life.died()));
                std::future::poll_fn(|task| match died.as_mut().poll(task) {
                    std::task::Poll::Ready(()) => std::task::Poll::Ready(true),
                    std::task::Poll::Pending => all.as_mut().poll(task).map(|()| false),
                })
                .await
            };
            points += life.points();
            if !died {
                return points;
            }
            // Whatever it knew is gone.
            tasks.shutdown().await;
            drop(router);
            lives += 1;
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// A router with its client, as a process has it that has just begun.
    fn router(&self, life: &Arc<Life>, lives: u64) -> Router {
        let broken = self.schedule.sabotage;
        let inner: Arc<dyn Exchange> = match broken {
            Some(broken) => Arc::new(BrokenWay(self.way.clone(), broken)),
            None => Arc::new(self.way.clone()),
        };
        let (world, wishes) = (Arc::clone(&self.world), Arc::clone(&self.wishes));
        let way = Way { inner, life: Arc::clone(life), world, wishes };
        let seed = seed_of(self.schedule.seed, (life.process as u64) << 8 | lives);
        let dice = Mutex::new(Dice::new(seed));
        let world = Arc::clone(&self.world);
        let clock = move || -> SystemTime { UNIX_EPOCH + Duration::from_millis(world.now_ms()) };
        let client = ["together", "bfl"]
            .iter()
            .fold(Client::builder().without_environment(), |it, id| {
                it.key(id, "a-key").base(id, self.base.clone())
            })
            .exchange(way)
            .clock(clock)
            .chance(move || dice.lock().unwrap_or_else(PoisonError::into_inner).bits())
            .build()
            .expect("a client");
        let store = &self.stores[life.process % self.stores.len()];
        let store: Arc<dyn Store> = match broken {
            Some(broken) => Arc::new(BrokenStore(Arc::clone(store), broken)),
            None => Arc::clone(store),
        };
        let (life, world) = (Arc::clone(life), Arc::clone(&self.world));
        let process = life.process;
        let book = Book { inner: store, life, world, budget: self.schedule.budget };
        let told = Told { world: Arc::clone(&self.world), process };
        let router = Router::new(self.registry.clone(), client);
        let router = router.with_store(Arc::new(book)).with_hooks(told);
        match &self.account {
            Some(account) => router.on_account(account),
            None => router,
        }
    }

    /// One job, when it is wanted.
    async fn wish(self, router: Router, wish: Wish, begun: Arc<AtomicBool>) {
        sleep_until(self.began + Duration::from_millis(wish.at_ms)).await;
        begun.store(true, Ordering::Relaxed);
        let images = self.images[..wish.images].to_vec();
        let request = ImageRequest {
            images,
            mask: wish.mask.then(|| self.mask.clone()),
            count: wish.count,
            ..ImageRequest::new(super::prompt(wish.number))
        };
        let policy = Policy {
            timeout_seconds: Some(wish.seconds),
            fallback: wish.fallback,
            order: wish.order,
            ..Policy::default()
        };
        let select = wish.select.iter().map(|it| (*it).to_owned()).collect();
        let job = Job { select, request, policy };
        let result = self.run(&router, &wish, job.clone()).await;
        let broken = self.schedule.sabotage;
        match result {
            Err(err)
                if broken == Some(Sabotage::OrdersAnew)
                    && err.kind() == ErrorKind::OutcomeUnknown =>
            {
                self.run(&router, &wish, job).await.ok();
            }
            Err(_) if broken == Some(Sabotage::TakesFilter) => {
                let image = ImageInput::bytes(real_png(64, 64, 1)).expect("a picture");
                let images = vec![image];
                let request = ImageRequest { images, ..ImageRequest::new("Make it a watercolor") };
                let select = vec!["local/watercolor".to_owned()];
                self.run(&router, &wish, Job { select, request, ..job }).await.ok();
            }
            _ => {}
        }
    }

    /// Runs a job and looks at what its caller is told.
    async fn run(&self, router: &Router, wish: &Wish, job: Job) -> Result<()> {
        let task = router.task(job).for_paths([format!("{}.png", wish.number)]);
        if let Some(after) = wish.cancel_ms {
            let canceller = task.canceller();
            tokio::spawn(async move {
                sleep(Duration::from_millis(after)).await;
                canceller.cancel();
            });
        }
        let broken = self.schedule.sabotage;
        let limit = Duration::from_secs(wish.seconds.into()) + GRACE;
        let ends = timeout(limit, self.ends(task, wish));
        let Ok(result) = ends.await else {
            let how = format!("job {} has {} s and has not ended", wish.number, wish.seconds);
            self.world.violated(Invariant::InTime, Some(wish.number), how);
            return Ok(());
        };
        let result = result.map_err(|err| match broken {
            Some(Sabotage::Comforts) => err.with(|it| it.code = ErrorKind::Unavailable),
            _ => err,
        });
        // These say that nothing was bought.
        if let Err(err) = &result
            && let ErrorKind::Unavailable | ErrorKind::Exhausted | ErrorKind::Refused = err.kind()
            && !wish.keyed
        {
            self.world.facts().free.insert(wish.number);
        }
        let spent = match &result {
            Ok(Some(receipt)) => Some(self.added_up(wish, receipt)),
            // What was kept before has its own account.
            Ok(None) => None,
            Err(err) => {
                let hops = err.data().hops.iter().map(|it| it.spent);
                Some(hops.fold(Estimate::default(), Estimate::and))
            }
        };
        if let (Some(spent), false) = (spent, wish.keyed) {
            let mut facts = self.world.facts();
            let sum = facts.spent.entry(wish.number).or_default();
            *sum = sum.and(spent);
        }
        result.map(drop)
    }

    async fn ends(&self, task: Task, wish: &Wish) -> Result<Option<Receipt>> {
        let keep = |outcome: Outcome| self.keeps(outcome, wish.drops);
        if !wish.keyed {
            return task.keeping(keep).await.map(Some);
        }
        Ok(match task.once_keeping(&format!("key-{}", wish.number), keep).await? {
            Once::Now(receipt) => Some(receipt),
            Once::Before(_) => None,
        })
    }

    async fn keeps(&self, outcome: Outcome, drops: bool) -> (Receipt, Option<Vec<String>>) {
        let Outcome { images, mut receipt } = outcome;
        if self.schedule.sabotage == Some(Sabotage::LosesCall) {
            receipt.calls.pop();
        }
        if drops {
            self.world.tell(|| format!("the host does not keep {} pictures", images.len()));
            return (receipt, None);
        }
        let mut facts = self.world.facts();
        facts.kept.extend(receipt.orders.iter().cloned());
        facts.pictures += images.len() as u32;
        let paths = (0..images.len()).map(|it| format!("kept-{it}.png")).collect();
        (receipt, Some(paths))
    }

    /// What a receipt says was spent, when its parts have been added up.
    fn added_up(&self, wish: &Wish, receipt: &Receipt) -> Estimate {
        if receipt.offer.starts_with("local/") {
            let how = format!("job {} was done by {}", wish.number, receipt.offer);
            self.world.violated(Invariant::NeverLocal, Some(wish.number), how);
        }
        let hops = receipt.hops.iter().map(|it| it.spent);
        let calls = receipt.calls.iter().map(|it| it.spent);
        let own = match receipt.calls.as_slice() {
            [] => receipt.cost.map_or(receipt.estimate, |it| Estimate { low: it, high: it }),
            _ => calls.fold(Estimate::default(), Estimate::and),
        };
        let sum = hops.fold(own, Estimate::and);
        if sum != receipt.spent && !wish.keyed {
            let how = format!(
                "job {}: hops and calls are {sum}, and the receipt says {}",
                wish.number, receipt.spent
            );
            self.world.violated(Invariant::TraceSums, Some(wish.number), how);
        }
        receipt.spent
    }

    /// As `repaint resume --all`.
    async fn resumes(self, router: Router) {
        let orders = match router.resumable().await {
            Ok(orders) => orders,
            Err(err) => return self.world.tell(|| format!("nothing can be listed: {err}")),
        };
        for order in orders {
            let keep = |outcome: Outcome| self.keeps(outcome, false);
            let task = router.pick_up_order(&order.id, |_| {});
            let Ok(result) = timeout(CALM, task.keeping(keep)).await else {
                let how = format!("order {} is picked up and comes to no end", order.id);
                return self.world.violated(Invariant::InTime, None, how);
            };
            self.world.tell(|| match result {
                Ok(_) => format!("order {} is picked up", order.id),
                Err(err) => format!("order {} is not picked up: {err}", order.id),
            });
        }
    }

    /// Nothing goes wrong any more: keys are asked for again, and what is open is fetched.
    async fn calm(&self) {
        sleep(CALM).await;
        self.calm.store(true, Ordering::Relaxed);
        self.world.tell(|| "all is well from here on".to_owned());
        let life = Life::new(self.schedule.processes(), &self.world, None);
        let router = self.router(&life, 0);
        let keyed = self.wishes.values().filter(|it| it.keyed);
        let mut again = JoinSet::new();
        for wish in keyed {
            let wish =
                Wish { seconds: 60, cancel_ms: None, drops: false, at_ms: 0, ..wish.clone() };
            again.spawn(self.clone().wish(router.clone(), wish, Arc::default()));
        }
        while again.join_next().await.is_some() {}
        self.clone().resumes(router).await;
    }

    async fn judged(self, points: Vec<u32>) -> Played {
        let store = &self.stores[0];
        let filter = Filter { account: self.account.clone(), ..Filter::default() };
        let orders = store.list(&filter).await.expect("orders can be listed");
        let spend = store.spend(0, self.account.as_deref()).await.expect("they can be added up");
        let emulator = self.way.emulator();
        let seen: Vec<&Seen> = emulator.requests().collect();
        let mut facts = std::mem::take(&mut *self.world.facts());
        let mut violations = std::mem::take(&mut facts.violations);
        let (schedule, now_ms) = (&*self.schedule, self.world.now_ms());
        let end =
            End { schedule, facts: &facts, orders: &orders, spend: &spend, seen: &seen, now_ms };
        end.judge(&mut violations);
        let stage = |it: Stage| match it {
            Stage::Order => "order",
            Stage::Poll => "poll",
            Stage::Download => "download",
            Stage::Other => "other",
        };
        let struck = seen.iter().filter_map(|it| Some((it.fault?.name(), stage(it.stage))));
        Played {
            violations,
            trace: facts.lines,
            points,
            deaths: facts.deaths,
            orders: orders.len() as u32,
            taken: seen.iter().filter(|it| it.taken).count() as u32,
            pictures: facts.pictures,
            struck: struck.collect(),
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Its connections end on threads of their own.
        let stores = std::mem::take(&mut self.sqlite);
        block_on(async move { drop(stores) });
    }
}
