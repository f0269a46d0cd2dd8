#include "sim/plan/plan.h"

#include <algorithm>

namespace spillway::plan {

MemoryPlan plan_memory(const Question& question) {
  // Flash-MoE counts about 200 MB of scratch beside 5.5 GB of weights.
  constexpr uint64_t kWork = 256'000'000;
  MemoryPlan memory;
  memory.total = question.machine.memory;
  memory.system = question.machine.reserved;
  memory.resident = question.model.resident();
  memory.context = question.model.context(question.context);
  memory.work = kWork;
  memory.bank = question.model.bank();
  memory.step = question.top_k * question.model.expert;
  if (memory.fits()) {
    memory.cache = std::min(memory.total - memory.needed() + memory.step, memory.bank);
  }
  return memory;
}

Plan make_plan(const Question& question) {
  Plan plan;
  plan.memory = plan_memory(question);
  plan.streams = !plan.memory.holds_all_experts();
  plan.runtime = plan.streams ? question.streaming : question.resident;
  const TokenTraffic traffic = token_traffic(question.model, question.top_k, question.context);
  plan.seed_ceiling = array_bandwidth(question.drive) / double(traffic.experts);
  const bool runs = plan.memory.fits() && (!plan.streams || question.drive.bandwidth > 0);
  if (runs) {
    Decode decode{
        question.model,    question.machine, question.drive,   plan.runtime,
        question.locality, question.top_k,   question.context, plan.streams ? plan.memory.cached_share() : 1,
        std::nullopt,      question.recorded};
    plan.speed = forecast(decode);
  }
  return plan;
}

}  // namespace spillway::plan
