#include "runtime/pager_log.h"

#include "runtime/pager.h"

namespace spillway {
namespace {

void retell_call(const PagerCall& call, Pager& pager) {
  switch (call.kind) {
    case PagerCall::Kind::start_prefetch:
      pager.start_prefetch();
      break;
    case PagerCall::Kind::arrived:
      pager.arrived(call.expert);
      break;
    case PagerCall::Kind::failed:
      pager.failed(call.expert);
      break;
    case PagerCall::Kind::used:
      pager.used(call.expert);
      break;
    case PagerCall::Kind::end:
      pager.end();
      break;
    case PagerCall::Kind::finish:
      pager.finish();
      break;
  }
}

}  // namespace

void retell(const PagerLog& log, Pager& pager) {
  for (const PagerInput& input : log) {
    if (const Step* step = std::get_if<Step>(&input)) {
      pager.begin(*step);
    } else if (const HintList* hints = std::get_if<HintList>(&input)) {
      pager.hint(*hints);
    } else {
      retell_call(std::get<PagerCall>(input), pager);
    }
    // The answers to these commands are in the log already.
    pager.take_commands([](const PagerCommand&) {});
  }
}

}  // namespace spillway
