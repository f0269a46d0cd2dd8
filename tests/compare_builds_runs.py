"""The runs whose outputs tests/compare-builds compares."""

import dataclasses
import re

MODEL = "tiny-moe-q4_0.gguf"
TRACE = "tiny-moe.trace.bin"


@dataclasses.dataclass
class Run:
    """A run of the program. `shows` is the kind of its stdout: a table of computed figures, help in words, or output
    whose bytes count."""
    name: str
    words: str
    shows: str = "table"
    measured: bool = False
    status: int = 0
    inputs: dict = dataclasses.field(default_factory=dict)  # files to write before the run

    def argv(self):
        return self.words.replace("\n", " ").split()

    def needed(self):
        return set(re.findall(r"\.\./([\w-]+)/", self.words)) - {"inputs", "store"}


COMMANDS = ["", "replay", "record", "perplexity", "simulate", "gap", "calibrate", "curve", "plan", "sweep", "compare",
            "report", "pack", "quantize", "list", "trace", "trace info", "trace import", "trace export", "trace cut",
            "trace synth", "trace preload"]
FAMILIES = ["backends", "policies", "prefetchers", "devices", "models", "machines", "drives", "runtimes", "locality"]

# Four layers of 16 experts with two cache sizes and two policies, each twice.
EXPERIMENT = """{
  "schema": "spillway.experiment/1",
  "question": "Which policy hits more?",
  "let": {"tokens": 30},
  "make": [{"command": "trace synth", "layers": 4, "experts": 16, "top-k": 4, "expert-bytes": "64KiB",
            "tokens": "{tokens}", "seed": 7, "output": "{made}/trace.bin", "force": true}],
  "base": {"command": "simulate", "trace": "{made}/trace.bin", "device": "linear", "seed": "{repetition}"},
  "sweep": {"cache": ["512KiB", {"label": "large", "cache": "2MiB"}], "evict": ["lru", "random"]},
  "repetitions": 2,
  "plot": {"kind": "bars", "x": "cache", "y": ["hit_ratio"], "series": "evict"}
}
"""
# A mixture whose experts differ in size from layer to layer: one token of prefill, two of decode.
BIGMOE = """# route_trace v1
# model=mixture.gguf arch=qwen3moe n_layer=2 n_expert=4 n_expert_used=2
# layer=0 expert_bytes=40960 dense_bytes=1000
# layer=1 expert_bytes=81920 dense_bytes=1000
turn,phase,step,layer,slot,expert,weight,residency,expert_bytes
0,0,0,0,0,1,0.75,0,40960
0,0,0,0,1,2,0.25,0,40960
0,0,0,1,0,3,0.5,0,81920
0,0,0,1,1,0,0.5,0,81920
0,1,1,0,0,1,0.625,1,40960
0,1,1,0,1,3,0.375,0,40960
0,1,1,1,0,3,0.5,1,81920
0,1,1,1,1,2,0.5,0,81920
0,1,2,0,0,0,0.625,0,40960
0,1,2,0,1,3,0.375,1,40960
0,1,2,1,0,3,0.5,1,81920
0,1,2,1,1,1,0.5,0,81920
"""


def trace_runs():
    yield Run("trace-info", f"trace info ../inputs/{TRACE} --layers")
    yield Run("trace-info-json", f"trace info ../inputs/{TRACE} --json info.json")
    # 1536 experts of 12 kB, which is not a multiple of a block: 19 MB in all.
    yield Run("cut", f"trace cut ../inputs/{TRACE} --tokens 40 --expert-bytes 12KB -o trace.bin")
    yield Run("cut-ranges", f"trace cut ../inputs/{TRACE} --passes 300:700 --sequences 0:1 -o trace.bin")
    yield Run("export", "trace export ../cut/trace.bin -o trace.csv")
    yield Run("export-stdout", "trace export ../cut/trace.bin -o -", shows="output")
    yield Run("export-oracle", "trace export ../cut/trace.bin --to oraclegeneral -o trace.oracleGeneral")
    yield Run("import", "trace import ../export/trace.csv -o trace.bin")
    yield Run("import-oracle", "trace import ../export-oracle/trace.oracleGeneral --layers 12 --experts 128 --top-k 8 "
              "-o trace.bin")
    yield Run("import-bigmoe", "trace import route.csv -o trace.bin", inputs={"route.csv": BIGMOE})
    yield Run("synth", "trace synth --layers 6 --experts 32 --top-k 4 --expert-bytes 1300KB --tokens 300 --prefill 20 "
              "--skew 0.9 --reuse 0.4 --seed 3 -o trace.bin")
    yield Run("synth-preset", "trace synth --model olmoe-1b-7b:Q4_K --tokens 40 -o trace.bin")
    yield Run("synth-like", "trace synth --like ../cut/trace.bin --tokens 100 --seed 5 -o trace.bin")
    yield Run("synth-info", "trace info ../synth/trace.bin")
    yield Run("preload", "trace preload ../cut/trace.bin --like ../synth-like/trace.bin --bytes 4MB -o trace.bin")


def simulated_runs():
    synth, cut = "../synth/trace.bin", "../cut/trace.bin"
    to = "--json report.json"
    for policy in ["lru", "fifo", "lfu", "lfu:halve_every=50,keep=0", "layer-lru", "clock:bits=2", "sieve", "s3fifo",
                   "arc", "wtinylfu", "least-stale", "random", "belady"]:
        name = re.sub(r"\W+", "-", policy)
        yield Run(f"simulate-{name}", f"simulate {synth} --cache 60MB --evict {policy} --compute 0.5ms+1ms --seed 4 "
                  f"{to}")
    for prefetcher in ["last-token", "last-token:ahead=2,min_confidence=0.3", "popular", "markov", "recorded", "oracle",
                       "oracle:precision=0.6,recall=0.7,ahead=3"]:
        name = re.sub(r"\W+", "-", prefetcher)
        yield Run(f"simulate-{name}", f"simulate {cut} --cache 5MB --prefetch {prefetcher} --compute recorded --seed 4 "
                  f"--warm-up 5 {to}")
    for device in ["linear:bandwidth=2GB/s,latency=50us", "queueing:channels=4,tail_share=0.02", "2xqueueing",
                   "bucket:bandwidth=300MB/s", "nvme-gen4", "4xnvme-gen3", "phone-ufs4", "cloud-volume"]:
        name = re.sub(r"\W+", "-", device)
        yield Run(f"simulate-on-{name}", f"simulate {synth} --device {device} --cache 60MB --compute 1ms --seed 4 {to}")
    yield Run("timeline", f"simulate {cut} --cache 5MB --prefetch markov --compute 1ms --timeline timeline.json")
    yield Run("simulate-no-cache", f"simulate {cut} --device nvme-gen4 --cache 0 --page-cache 10MB --read-ahead 64KiB "
              f"--ranges 3 --json report.json")
    yield Run("simulate-bigmoe", "simulate ../import-bigmoe/trace.bin --cache 400KiB --compute 1ms --json -",
              shows="output")
    yield Run("simulate-preloaded", f"simulate ../preload/trace.bin --cache 5MB --depth 4 --tokens 20 {to}")
    yield Run("gap-simulated", f"gap {cut} --device nvme-gen4 --cache 5MB --compute 0.5ms+1ms --prefetch last-token "
              f"--json report.json")
    yield Run("gap-simulated-no-cache", f"gap {cut} --device nvme-gen3 --cache 0 --compute 1ms --json report.json")
    yield Run("curve", f"curve ../inputs/{TRACE} --tokens 400 --json curve.json")
    yield Run("curve-policies", f"curve {synth} --policy lru,lfu,s3fifo,random,belady --cache 40MB,100MB --semantics "
              f"request --points 20 --seed 2 --json curve.json")
    yield Run("sweep", "sweep experiment.json -o results", inputs={"experiment.json": EXPERIMENT})
    yield Run("compare", "compare ../simulate-lru/report.json ../simulate-belady/report.json --json compared.json")
    yield Run("compare-sweep", "compare ../sweep/results --a evict=lru --b evict=random --confidence 0.9")
    yield Run("curve-again", f"curve {synth} --policy lru,random --cache 40MB,100MB --seed 8 --json curve.json")
    yield Run("compare-curves", "compare ../curve-policies/curve.json ../curve-again/curve.json --json -",
              shows="output")
    yield Run("report", "report ../simulate-lru/report.json ../gap-simulated/report.json ../curve/curve.json "
              "../timeline/timeline.json ../sweep/results --plots no-plots-are-there -o page.html")


def plan_runs():
    plans = {
        "plan-m4-max": "--model qwen3.5-122b-a10b --bits 2 --ram 36GB --device apple-m4-max",
        "plan-desktop": "--model gpt-oss-120b --device desktop-ddr5 --drive nvme-gen5 --target 10",
        "plan-phone": "--model gemma-4-26b-a4b --device phone-2026 --context 4000",
        "plan-striped": "--model qwen3-30b-a3b --device strix-halo --drive nvme-gen4 --drives 2 --runtime cpu",
        "plan-server": "--model deepseek-v3 --bits experts=2.31,rest=8.5 --device server-epyc-12ch --ram-price 4 "
                       "--experts-per-token 6",
        "plan-gguf": f"--gguf ../inputs/{MODEL} --device 7GB/s --trace ../inputs/{TRACE} --policy lfu",
        "plan-claims": "--claims",
    }
    for name, words in plans.items():
        explain = "" if name == "plan-claims" else " --explain"
        yield Run(name, f"plan {words}{explain} --json plan.json")
    yield Run("plan-json", f"plan {plans['plan-m4-max']} --json -", shows="output")


def replay_runs():
    # Without prefetch, since the clock decides which prefetches arrive in time.
    trace = "../cut/trace.bin"
    to = "--no-probe --json report.json"
    backends = {"null": "null", "uring": "uring", "uring-chunked": "uring:depth=4,chunk=8KiB,fixed=0", "pread": "pread",
                "pread-direct": "pread:direct=1,threads=2", "mmap": "mmap:advice=random"}
    for name, backend in backends.items():
        yield Run(f"replay-{name}", f"replay {trace} --backend {backend} --cache 5MB --store ../store --verify "
                  f"{'sample' if name == 'null' else 'all'} {to}", measured=True)
    yield Run("replay-no-cache", f"replay {trace} --backend pread --cache 0 --store ../store {to}", measured=True)
    yield Run("replay-policies", f"replay {trace} --backend uring --cache 4MB --evict arc --store ../store --warm-up 4 "
              f"--tokens 30 --compute 50us --pages small --seed 9 {to}", measured=True)
    # In the cache folder, with three reads per expert.
    yield Run("replay-ranges", f"replay {trace} --backend uring --cache 5MB --ranges 3 --verify all {to}",
              measured=True)
    yield Run("pack", f"pack --model ../inputs/{MODEL} -o model.store --json made.json")
    yield Run("pack-ordered", f"pack --model ../inputs/{MODEL} -o model.store --layout coactivation --trace "
              f"../inputs/{TRACE}")
    for name, store in [("gguf", f"../inputs/{MODEL}"), ("packed", "../pack-ordered/model.store")]:
        verify = "all" if name == "packed" else "off"
        yield Run(f"replay-{name}", f"replay ../inputs/{TRACE} --tokens 40 --backend pread:direct=1 --cache 3MB "
                  f"--store {store} --verify {verify} {to}", measured=True)


def model_runs():
    with_model = f"--model ../inputs/{MODEL} --threads 1 --no-probe"
    prompt = "prompt.txt"
    text = {prompt: "The page cache of the kernel holds what was read from a file. "}
    greedy = f"--prompt-file {prompt} --raw -n 40 --ignore-eos --temperature 0 --lookahead 2"
    yield Run("record", f"record {with_model} {greedy} --cache 3MB --backend pread:direct=1 -o trace.bin --json "
              f"report.json", shows="output", measured=True, inputs=text)
    yield Run("record-uring", f"record {with_model} {greedy} --cache 1MB --evict lfu --backend uring -o trace.bin "
              f"--json report.json", shows="output", measured=True, inputs=text)
    yield Run("record-sampled", f"record {with_model} --prompt Files --prompt Drives --raw -n 20 --seed 11 --batch 2 "
              f"--backend pread --cache 3MB --store ../pack/model.store --no-trace --json report.json", shows="output",
              measured=True)
    yield Run("record-logits", f"record {with_model} --token-ids ids.txt --batch 4 --logits logits.f32 --cache 3MB "
              f"--backend pread -o trace.bin", shows="output", measured=True,
              inputs={"ids.txt": "5 17 300 41 99 5 17 23\n"})
    yield Run("cut-recorded", "trace cut ../record/trace.bin --tokens 10 --expert-bytes 1MB -o trace.bin",
              measured=True)
    yield Run("perplexity", f"perplexity {with_model} --file text.txt --context 32 --cache 3MB --backend pread --json "
              f"report.json", measured=True, inputs={"text.txt": text[prompt] * 12})
    yield Run("quantize", f"quantize ../inputs/{MODEL} model.gguf --rule static:4,8 --threads 1 --json made.json")


def word_runs():
    for command in COMMANDS:
        name = re.sub(r"\W+", "-", f"help {command}".strip())
        yield Run(name, f"{command} --help", shows="help")
    yield Run("list", "list", shows="help")
    yield Run("list-json", "list --json list.json")
    for family in FAMILIES:
        yield Run(f"list-{family}", f"list {family} --json -", shows="output")
    refused = {
        "no-command": "", "unknown-command": "replai", "no-such-trace": "simulate missing.bin --cache 1GB",
        "unknown-policy": f"simulate ../inputs/{TRACE} --cache 1GB --evict lruu",
        "unknown-device": f"simulate ../inputs/{TRACE} --cache 1GB --device linnear",
        "small-cache": f"simulate ../inputs/{TRACE} --cache 1kB", "not-a-trace": f"trace info ../inputs/{MODEL}",
        "unknown-preset": "plan --model gpt-5", "not-a-store": f"replay ../inputs/{TRACE} --cache 3MB --store missing",
    }
    for name, words in refused.items():
        status = 1 if name in ("no-such-trace", "not-a-trace", "not-a-store") else 2
        yield Run(f"refused-{name}", words, shows="help", status=status)


def all_runs():
    for family in (trace_runs, simulated_runs, plan_runs, replay_runs, model_runs, word_runs):
        yield from family()
