//! Who would take a job, in which order, and why all others would not: a pure function.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use repaint_core::{
    Bounds, Candidate, Date, Error, ErrorKind, Estimate, ImageModel, ImageRequest, Instructions,
    Job, Later, OfferRefusals, OrderBy, Plan, Provider, Refusal, RefusalCode, Registry, Result,
    Terms, Usd, Warning, WarningCode,
};

use crate::health::{Known, Snapshot};
use crate::split::Split;

/// What a plan depends on besides the job.
#[derive(Clone, Copy)]
pub struct Conditions<'a> {
    /// For which providers there is a key.
    pub has_key: &'a dyn Fn(&Provider) -> bool,
    /// The day on which the job would be sent; offers retire.
    pub today: Date,
    /// Which offers rest, and how fast each is.
    pub health: &'a Snapshot,
    /// Whether, by [`OrderBy::Latency`], those of which nothing is known come first this time.
    pub explores: bool,
    /// Which offers may be asked at all, whatever the job says.
    pub scope: Option<&'a Scope>,
}

/// Which offers may be asked, whatever a job says: for hosts whose callers may not all use the same.
#[derive(Clone)]
pub struct Scope(Arc<Rule>);

type Rule = dyn Fn(&str) -> Option<Outside> + Send + Sync;

/// Why an offer is out of a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// What follows the offer's name, such as "is not for the key of `web`".
    pub message: String,
    /// What to do instead.
    pub fix: String,
}

impl Scope {
    /// A scope: for each offer's id nothing, or why it may not be asked.
    pub fn new(outside: impl Fn(&str) -> Option<Outside> + Send + Sync + 'static) -> Self {
        Self(Arc::new(outside))
    }

    /// Why an offer may not be asked; nothing if it may.
    pub fn outside(&self, offer: &str) -> Option<Outside> {
        (self.0)(offer)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope")
    }
}

impl<'a> Conditions<'a> {
    /// On a day, where nothing is known of any offer.
    pub fn new(has_key: &'a dyn Fn(&Provider) -> bool, today: Date) -> Self {
        static NOTHING: Snapshot = Snapshot { offers: BTreeMap::new() };
        Self { has_key, today, health: &NOTHING, explores: false, scope: None }
    }
}

impl fmt::Debug for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { has_key: _, today, health, explores, scope } = self;
        let mut shown = f.debug_struct("Conditions");
        shown
            .field("today", today)
            .field("health", health)
            .field("explores", explores)
            .field("scope", scope);
        shown.finish_non_exhaustive()
    }
}

/// Decides about every offer: the candidates in the order in which they would be tried, and every other
/// with all reasons against it. Pure; the words are found when they are read.
///
/// A job that selects nothing goes to hosted offers with a key, the cheapest first unless its policy
/// says otherwise; to a local offer only where no hosted one has a key. Among those selected, offers with
/// a key come first, and those that rest come last.
///
/// # Errors
///
/// `InvalidRequest` if the prompt is empty or no picture is asked for, or the job names a model or a provider that there is not.
///
/// ```
/// use repaint_adapters as _;
/// use repaint_core::{Date, ImageRequest, Job, Registry};
/// use repaint_router::{Conditions, plan};
///
/// let has_key = |provider: &repaint_core::Provider| provider.id == "together";
/// let conditions = Conditions::new(&has_key, Date::new(2026, 11, 26));
/// let job = Job::new(ImageRequest::new("A red fox in snow"));
/// let plan = plan(&Registry::linked()?, &job, &conditions)?;
/// let first = plan.first()?;
/// assert!(first.offer.starts_with("together/"), "nobody else has a key");
/// assert!(plan.candidates.iter().all(|it| first.estimate.high <= it.estimate.high));
/// # Ok::<(), repaint_core::Error>(())
/// ```
pub fn plan(registry: &Registry, job: &Job, conditions: &Conditions<'_>) -> Result<Plan> {
    Ok(decide(registry, job, conditions)?.told(registry, job, conditions))
}

/// What was decided, without a word.
pub(crate) struct Decided {
    /// Who takes the job, in order.
    pub(crate) candidates: Vec<Standing>,
    refused: Vec<Standing>,
}

/// Where an offer stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Its place in the registry.
    pub(crate) place: usize,
    pub(crate) estimate: Estimate,
    pub(crate) split: Split,
    /// The first place in `select` that stands for it.
    pub(crate) named: Option<usize>,
    pub(crate) keyed: bool,
    idle: Idle,
}

/// Why an offer is not asked, whatever the request is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Idle {
    not_selected: bool,
    no_key: bool,
    local: bool,
    not_allowed: bool,
    outside: bool,
}

impl Idle {
    const NO: Self = Self {
        not_selected: false,
        no_key: false,
        local: false,
        not_allowed: false,
        outside: false,
    };
}

pub(crate) fn decide(
    registry: &Registry,
    job: &Job,
    conditions: &Conditions<'_>,
) -> Result<Decided> {
    let Job { select, request, policy } = job;
    if request.prompt.trim().is_empty() {
        let message = "the prompt is empty: say what to draw or to change";
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    if request.count == 0 {
        let message = "no picture is asked for: 1 is the least count";
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    let models: Vec<&dyn ImageModel> = registry.models().collect();
    known_providers(&models, job)?;
    let ranks = ranks(registry, &models, select)?;
    let keyed = keyed(&models, conditions);
    let any_key = models.iter().zip(&keyed).any(|(it, keyed)| is_hosted(*it) && *keyed);
    let terms = Terms { adapt: &policy.adapt, today: conditions.today };
    let mut parts = Parts { request, others: Vec::new() };
    let mut candidates = Vec::with_capacity(models.len());
    let mut refused = Vec::with_capacity(models.len());
    for (place, model) in models.iter().enumerate() {
        let (keyed, named) = (keyed[place], ranks.get(place).copied().flatten());
        let hosted = is_hosted(*model);
        let idle = Idle {
            not_selected: !select.is_empty() && named.is_none(),
            no_key: named.is_none() && !keyed,
            local: select.is_empty() && !hosted && any_key,
            not_allowed: !policy.providers.allows(model.provider().id),
            outside: conditions.scope.is_some_and(|it| it.outside(model.id()).is_some()),
        };
        let split = Split::of(request.count, model.offer());
        let estimate = if idle == Idle::NO { parts.admits(*model, split, terms) } else { None };
        let within = |it: &Estimate| policy.max_cost.is_none_or(|most| it.high <= most);
        let (taken, estimate) = (estimate.filter(within).is_some(), estimate.unwrap_or_default());
        let standing = Standing { place, estimate, split, named, keyed, idle };
        if taken { candidates.push(standing) } else { refused.push(standing) }
    }
    let sort = Sort { models: &models, conditions, by: policy.order };
    candidates.sort_by_cached_key(|it| sort.key(it));
    Ok(Decided { candidates, refused })
}

/// The request of a call for each number of pictures that a call may make.
struct Parts<'a> {
    request: &'a ImageRequest,
    others: Vec<ImageRequest>,
}

impl Parts<'_> {
    /// What all calls together may cost, if the offer takes them.
    fn admits(
        &mut self,
        model: &dyn ImageModel,
        split: Split,
        terms: Terms<'_>,
    ) -> Option<Estimate> {
        if split.calls == 1 {
            return model.admits(self.request, terms);
        }
        let larger = model.admits(self.of(split.most), terms)?.times(split.larger);
        let smaller = match split.calls - split.larger {
            0 => Estimate::default(),
            calls => model.admits(self.of(split.most - 1), terms)?.times(calls),
        };
        Some(larger.and(smaller))
    }

    fn of(&mut self, count: u32) -> &ImageRequest {
        let found = self.others.iter().position(|it| it.count == count);
        let index = found.unwrap_or_else(|| {
            self.others.push(ImageRequest { count, ..self.request.clone() });
            self.others.len() - 1
        });
        &self.others[index]
    }
}

/// What decides who comes first; the least does.
struct Sort<'a> {
    models: &'a [&'a dyn ImageModel],
    conditions: &'a Conditions<'a>,
    by: OrderBy,
}

type Key = (Reverse<bool>, bool, [u64; 2], (Usd, Usd), usize);

impl Sort<'_> {
    fn key(&self, it: &Standing) -> Key {
        let health = &self.conditions.health.offers;
        let known = match health.is_empty() {
            true => Known::default(),
            false => health.get(self.models[it.place].id()).copied().unwrap_or_default(),
        };
        let first = match self.by {
            OrderBy::Price => [0, 0],
            OrderBy::Preference => [it.named.map_or(u64::MAX, |it| it as u64), 0],
            OrderBy::Latency => match known.latency {
                Some(latency) => [milliseconds(latency.p50), milliseconds(latency.p95)],
                None if self.conditions.explores => [0, 0],
                None => [u64::MAX, u64::MAX],
            },
        };
        let price = (it.estimate.high, it.estimate.low);
        // Models are by id, so equals stay in that order.
        (Reverse(it.keyed), known.rests.is_some(), first, price, it.place)
    }
}

fn milliseconds(it: Duration) -> u64 {
    u64::try_from(it.as_millis()).unwrap_or(u64::MAX)
}

/// For each model, the first place in `select` that stands for it; nothing where nothing is selected.
fn ranks(
    registry: &Registry,
    models: &[&dyn ImageModel],
    select: &[String],
) -> Result<Vec<Option<usize>>> {
    if select.is_empty() {
        return Ok(Vec::new());
    }
    let mut ranks = vec![None; models.len()];
    for (rank, name) in select.iter().enumerate() {
        for model in registry.resolve(name)? {
            if let Ok(place) = models.binary_search_by(|it| it.id().cmp(model.id())) {
                ranks[place].get_or_insert(rank);
            }
        }
    }
    Ok(ranks)
}

/// Whether each model has a key or needs none. A provider is asked once: it looks at the environment.
fn keyed(models: &[&dyn ImageModel], conditions: &Conditions<'_>) -> Vec<bool> {
    let mut last: Option<(&Provider, bool)> = None;
    let keyed = |model: &&dyn ImageModel| {
        let provider = model.provider();
        match last {
            Some((it, keyed)) if std::ptr::eq(it, provider) => keyed,
            _ => {
                let keyed = provider.endpoint.is_none() || (conditions.has_key)(provider);
                last = Some((provider, keyed));
                keyed
            }
        }
    };
    models.iter().map(keyed).collect()
}

/// A slip in a name would allow everybody or nobody.
fn known_providers(models: &[&dyn ImageModel], job: &Job) -> Result<()> {
    let providers = &job.policy.providers;
    for name in providers.allow.iter().chain(&providers.deny) {
        if !models.iter().any(|it| it.provider().id == *name) {
            let mut ids: Vec<&str> = models.iter().map(|it| it.provider().id).collect();
            ids.dedup();
            let message = format!("no provider is called `{name}`; there are {}", ids.join(", "));
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
    }
    Ok(())
}

impl Decided {
    /// The plan, whose words are found when they are read.
    pub(crate) fn told(&self, registry: &Registry, job: &Job, conditions: &Conditions<'_>) -> Plan {
        let health = conditions.health.clone();
        let asked = Arc::new(Asked {
            registry: registry.clone(),
            job: job.clone(),
            health,
            today: conditions.today,
            scope: conditions.scope.cloned(),
        });
        let (candidates, refused) = (self.candidates.clone(), self.refused.clone());
        let of_candidates = Arc::clone(&asked);
        Plan {
            candidates: Later::new(move || of_candidates.candidates(&candidates)),
            refusals: Later::new(move || asked.refusals(&refused)),
        }
    }
}

/// All that a plan was made of.
struct Asked {
    registry: Registry,
    job: Job,
    health: Snapshot,
    today: Date,
    scope: Option<Scope>,
}

impl Asked {
    fn terms(&self) -> Terms<'_> {
        Terms { adapt: &self.job.policy.adapt, today: self.today }
    }

    fn candidates(&self, candidates: &[Standing]) -> Vec<Candidate> {
        let models: Vec<&dyn ImageModel> = self.registry.models().collect();
        candidates.iter().filter_map(|it| self.candidate(models[it.place], it)).collect()
    }

    fn candidate(&self, model: &dyn ImageModel, standing: &Standing) -> Option<Candidate> {
        let Standing { estimate, split, keyed, .. } = *standing;
        let request = &self.job.request;
        let part = split.requests(request, model.offer()).into_iter().next()?;
        let admitted = model.admit(&part, self.terms()).ok()?;
        let mut adaptations = split.adaptations(request, model.offer());
        adaptations.extend_from_slice(admitted.adaptations());
        let mut warnings = admitted.warnings().to_vec();
        let id = model.id();
        if !keyed {
            let message = format!("{id} {}", no_key(model));
            warnings.push(Warning::new(WarningCode::NoKey, None, message));
        }
        if let Some(rest) = self.health.offers.get(id).and_then(|it| it.rests) {
            let message = format!("{id} {}", rest.said());
            warnings.push(Warning::new(WarningCode::Resting, None, message));
        }
        let offer = id.to_owned();
        Some(Candidate { offer, adaptations, calls: split.calls, estimate, warnings })
    }

    fn refusals(&self, refused: &[Standing]) -> Vec<OfferRefusals> {
        let models: Vec<&dyn ImageModel> = self.registry.models().collect();
        let refused = refused.iter().filter_map(|it| self.refused(models[it.place], it));
        let mut refusals: Vec<OfferRefusals> = refused.collect();
        name_alternatives(&self.registry, &self.job.request.prompt, &mut refusals);
        refusals
    }

    fn refused(&self, model: &dyn ImageModel, standing: &Standing) -> Option<OfferRefusals> {
        let Standing { split, idle, .. } = *standing;
        let mut reasons = Vec::new();
        if idle.not_selected {
            let refusal = Refusal::by_rule(RefusalCode::NotAsked, "select");
            reasons.push(refusal.saying("was not asked for", format!("select {}", model.id())));
        }
        if idle.no_key {
            reasons.push(no_key(model));
        }
        if idle.local {
            let refusal = Refusal::by_rule(RefusalCode::NotAsked, "select");
            let message = "is local, and taken only where it is named or no hosted model has a key";
            reasons.push(refusal.saying(message, format!("select {}", model.id())));
        }
        if idle.not_allowed {
            let refusal = Refusal::by_rule(RefusalCode::NotAllowed, "policy/providers");
            let message = format!("is at {}, which the policy does not allow", model.provider().id);
            reasons.push(refusal.saying(message, "allow it, or choose a model elsewhere"));
        }
        if let Some(outside) = self.scope.as_ref().and_then(|it| it.outside(model.id())) {
            let refusal = Refusal::by_rule(RefusalCode::NotAllowed, "select");
            reasons.push(refusal.saying(outside.message, outside.fix));
        }
        // All calls are alike but for their number of pictures and their seed, which both fit.
        let part = split.requests(&self.job.request, model.offer()).into_iter().next()?;
        match model.admit(&part, self.terms()) {
            Err(more) => reasons.extend(more),
            Ok(_) => {
                let mut parts = Parts { request: &self.job.request, others: Vec::new() };
                let estimate = parts.admits(model, split, self.terms()).unwrap_or_default();
                let over = self.job.policy.max_cost.filter(|it| *it < estimate.high);
                reasons.extend(over.map(|it| over_budget(estimate, it)));
            }
        }
        Some(OfferRefusals { offer: model.id().to_owned(), reasons })
    }
}

/// The refusal of what may cost more than is left.
pub(crate) fn over_budget(estimate: Estimate, most: Usd) -> Refusal {
    let mut refusal = Refusal::by_rule(RefusalCode::OverBudget, "policy/max_cost");
    refusal.limit = most.0.into();
    refusal.got = estimate.high.0.into();
    let fix = format!("allow {}, or ask for fewer or smaller pictures", estimate.high);
    refusal.saying(format!("may cost {estimate}, more than {most}"), fix)
}

fn no_key(model: &dyn ImageModel) -> Refusal {
    let env = model.provider().endpoint.as_ref().map_or("", |it| it.auth.env);
    Refusal::by_rule(RefusalCode::NoKey, "select").saying("has no key", format!("set {env}"))
}

fn is_hosted(model: &dyn ImageModel) -> bool {
    model.provider().endpoint.is_some()
}

/// Adds to each "too many images" and "too few" who would take so many, with such a prompt.
fn name_alternatives(registry: &Registry, prompt: &str, refusals: &mut [OfferRefusals]) {
    let understands = |it: &dyn ImageModel| match it.capabilities().instructions.value {
        Instructions::Any => true,
        Instructions::Closed(vocabulary) => vocabulary.read(prompt).is_ok(),
    };
    let able: Vec<&dyn ImageModel> = registry.models().filter(|it| understands(*it)).collect();
    for OfferRefusals { offer, reasons } in refusals {
        // Another offer of the same place needs no other key.
        let place = registry.get(offer).map(|it| it.provider().id);
        let here = |it: &&&dyn ImageModel| Some(it.provider().id) == place;
        for reason in reasons.iter_mut().filter(|it| it.field == "images") {
            let Some(got) = reason.got.as_u64() else { continue };
            let takes = |it: Bounds<u32>| match reason.code {
                // Who takes more takes so many, unless it wants more still.
                RefusalCode::TooMany | RefusalCode::Unsupported => got <= u64::from(it.max),
                RefusalCode::TooFew => {
                    (1..).contains(&got) && (u64::from(it.min)..=it.max.into()).contains(&got)
                }
                _ => false,
            };
            let mut others: Vec<String> = Vec::new();
            let there = able.iter().filter(|it| !here(it));
            for model in able.iter().filter(here).chain(there) {
                let range = model.capabilities().images.value;
                if !takes(range) {
                    continue;
                }
                let other = format!("{} ({})", model.offer().model, range.max);
                if !others.contains(&other) {
                    others.push(other);
                }
                if others.len() == 3 {
                    break;
                }
            }
            if !others.is_empty() {
                reason.fix = format!("{}, or use {}", reason.fix, others.join(" or "));
            }
        }
    }
}
