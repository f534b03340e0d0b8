//! A real browser: Debian's chromium without a window, driven by its own protocol over two pipes.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, skipped};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    stdin: ChildStdin,
    messages: Receiver<Value>,
    number: u64,
    session: Option<String>,
    /// The URLs that it has requested.
    pub(crate) requests: Vec<String>,
    /// Errors in its console: exceptions and violations of the policy.
    pub(crate) errors: Vec<String>,
}

impl Browser {
    /// Starts it; `None` if this machine has none, which is a failure in CI.
    pub(crate) fn start(sandbox: &Sandbox) -> Option<Self> {
        if !Path::new("/usr/bin/chromium").exists() {
            skipped("no chromium on this machine; `tests/install` installs it");
            return None;
        }
        let mut command = Command::new("sh");
        // The protocol is spoken on the descriptors 3 and 4.
        command.args([
            "-c",
            "exec chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
             --disable-background-networking --disable-component-update --disable-sync --disable-extensions \
             --user-data-dir=\"$1\" --remote-debugging-pipe 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            "sh",
        ]);
        command.arg(sandbox.path("browser")).env("HOME", sandbox.path("home"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let messages = receive(child.stdout.take().unwrap());
        let (requests, errors) = (Vec::new(), Vec::new());
        let mut browser = Self { child, stdin, messages, number: 0, session: None, requests, errors };
        let page = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": page["targetId"], "flatten": true });
        let session =
            browser.ask("Target.attachToTarget", attached)["sessionId"].as_str().unwrap().to_owned();
        let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
        browser.ask("Browser.grantPermissions", permissions);
        browser.session = Some(session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    fn ask(&mut self, method: &str, params: impl Into<Value>) -> Value {
        let params = params.into();
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.stdin.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer =
                self.messages.recv_timeout(TIMEOUT).unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == self.number {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                self.requests.push(params["request"]["url"].as_str().unwrap_or_default().to_owned());
            }
            // The icon is asked for by the browser itself.
            "Log.entryAdded"
                if params["entry"]["level"] == "error" && !params.to_string().contains("favicon") =>
            {
                self.errors.push(params["entry"].to_string());
            }
            "Runtime.exceptionThrown" => self.errors.push(params.to_string()),
            _ => {}
        }
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        self.ask("Page.navigate", json!({ "url": "about:blank" }));
        self.ask("Page.navigate", json!({ "url": url }));
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let how = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let answer = self.ask("Runtime.evaluate", how);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The text of an expression in the page.
    #[track_caller]
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let start = Instant::now();
        while self.value(expression) != true {
            let html = || self.errors.join("\n");
            assert!(start.elapsed() < TIMEOUT, "never: {expression}\n{}", html());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Types a text where the focus is.
    pub(crate) fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.ask("Input.insertText", json!({ "text": c.to_string() }));
        }
    }

    /// Presses a key, such as `ArrowDown`.
    pub(crate) fn presses(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            "ArrowDown" => 40,
            "ArrowUp" => 38,
            _ => 0,
        };
        let mut event =
            json!({ "type": "rawKeyDown", "key": key, "code": key, "windowsVirtualKeyCode": code });
        if key.len() == 1 || key == "Enter" {
            event["type"] = "keyDown".into();
            event["text"] = if key == "Enter" { "\r".into() } else { key.into() };
        }
        self.ask("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.ask("Input.dispatchKeyEvent", event);
    }

    /// Sets the width of the window and the colours.
    pub(crate) fn shows(&mut self, width: u32, theme: &str) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.ask("Emulation.setEmulatedMedia", features);
    }

    /// Runs pages with or without their scripts.
    pub(crate) fn scripts(&mut self, on: bool) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({ "value": !on }));
    }

    /// Saves the whole page as a picture in the folder that `PUBLISH_TEST_SCREENSHOTS` names.
    pub(crate) fn screenshot(&mut self, name: &str) {
        self.capture(name, json!({ "captureBeyondViewport": true }));
    }

    /// Saves the top of the page, of this width and height.
    pub(crate) fn screenshot_of_top(&mut self, name: &str, width: u32, height: u32) {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        self.capture(name, json!({ "captureBeyondViewport": true, "clip": clip }));
    }

    fn capture(&mut self, name: &str, how: Value) {
        let Some(folder) = std::env::var_os("PUBLISH_TEST_SCREENSHOTS") else { return };
        let taken = self.ask("Page.captureScreenshot", how);
        let picture = BASE64.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn receive(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, messages) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut message = Vec::new();
        while reader.read_until(0, &mut message).is_ok_and(|read| read > 0) {
            message.pop();
            let Ok(value) = serde_json::from_slice(&message) else { break };
            if sender.send(value).is_err() {
                break;
            }
            message.clear();
        }
    });
    messages
}
