"""Opens a page in a headless Chromium as phones and desktops do, light and dark, and reports what a visitor would see:
browse.py PAGE.html [SCREENSHOTS]

Prints one JSON object: the requests other than for the page itself, the messages on the console, and for each screen
how far the page reaches beyond it and which texts of figures overlap. If SCREENSHOTS, a folder, is given, it gets a
picture of each screen. Exits with 77 if there is no Chromium.
"""

import base64
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCREENS = {"phone": (360, 740, 2, True), "desktop": (1280, 900, 1, False)}

# Finds texts of one figure whose boxes overlap by more than a sliver. A box is as high as the tallest possible letter,
# so a quarter of its height is left out.
OVERLAPS = """
(() => {
  const found = [];
  for (const svg of document.querySelectorAll('figure svg')) {
    const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    for (let i = 0; i < texts.length; ++i) {
      for (let j = 0; j < i; ++j) {
        const [a, b] = [texts[i][1], texts[j][1]];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 2 && high > 0.25 * Math.min(a.height, b.height)) found.push([texts[j][0], texts[i][0]]);
      }
    }
  }
  return found;
})()
"""

# Finds the size of the smallest letters in any figure, in CSS pixels.
SMALLEST = """
Math.min(...[...document.querySelectorAll('figure svg text')].map(text =>
  parseFloat(getComputedStyle(text).fontSize) * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)), 1e9)
"""


class Browser:
    """A Chromium controlled through a pair of pipes: JSON, with a zero byte after each message."""

    def __init__(self, program, profile):
        theirs_in, self.out = os.pipe()
        self.inn, theirs_out = os.pipe()

        def arrange():
            for source, number in ((os.dup(theirs_in), 3), (os.dup(theirs_out), 4)):
                os.dup2(source, number)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=arrange, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.numbers = itertools.count(1)
        self.buffer = b""
        self.events = []
        self.session = None

    def receive(self):
        while b"\0" not in self.buffer:
            block = os.read(self.inn, 1 << 20)
            if not block:
                sys.exit("the browser ended before it answered")
            self.buffer += block
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


def open_page(browser, address):
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        browser.call(f"{domain}.enable")
    browser.events.clear()
    browser.call("Page.navigate", url=address)
    browser.wait_for("Page.loadEventFired")


def look(browser, screen, scheme, pictures):
    width, height, scale, mobile = SCREENS[screen]
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile)
    seen = {
        "beyond": browser.evaluate("document.documentElement.scrollWidth") - width,
        "overlaps": browser.evaluate(OVERLAPS),
        "smallest_letters_px": browser.evaluate(SMALLEST),
        "paper": browser.evaluate("getComputedStyle(document.body).backgroundColor"),
    }
    if pictures:
        shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True, format="png",
                            clip={"x": 0, "y": 0, "width": width, "scale": 1,
                                  "height": browser.evaluate("document.documentElement.scrollHeight")})
        pathlib.Path(pictures, f"{screen}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    return seen


def console_of(events):
    for event in events:
        if event.get("method") == "Log.entryAdded":
            yield event["params"]["entry"]["text"]
        elif event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            yield json.dumps(event["params"])


def main():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        print("no Chromium is installed", file=sys.stderr)
        sys.exit(77)
    address = pathlib.Path(sys.argv[1]).resolve().as_uri()
    pictures = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            open_page(browser, address)
            screens = {f"{screen} {scheme}": look(browser, screen, scheme, pictures)
                       for screen in SCREENS for scheme in ("light", "dark")}
            requests = [event["params"]["request"]["url"] for event in browser.events
                        if event.get("method") == "Network.requestWillBeSent"]
            print(json.dumps({"requests": [url for url in requests if url != address and not url.startswith("data:")],
                              "console": list(console_of(browser.events)),
                              "title": browser.evaluate("document.title"),
                              "figures": browser.evaluate("document.querySelectorAll('figure svg').length"),
                              "screens": screens}))
        finally:
            browser.process.kill()
            browser.process.wait()


if __name__ == "__main__":
    main()
