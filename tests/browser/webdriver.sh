# SPDX-License-Identifier: GPL-2.0-or-later
# Chromium through chromedriver: WebDriver (https://www.w3.org/TR/webdriver2/) with curl and jq.
# Sourced; call wd_start DIR once, wd_stop on exit. Every request has a time limit.

# wd_missing: what is not there of all that is needed; nothing when all is.
wd_missing() {
    local tool
    for tool in chromium chromedriver curl jq; do
        command -v $tool >/dev/null || echo $tool
    done
}

# wd METHOD PATH [JSON]: the answer's value as JSON; fails when the driver says error.
wd() {
    local answer
    answer=$(curl -sS --max-time 30 -X "$1" -H 'Content-Type: application/json; charset=utf-8' \
        ${3+--data-binary "$3"} "$wd_url$2") || return 1
    if jq -e '.value | type == "object" and has("error")' <<<"$answer" >/dev/null; then
        jq -r '.value | .error + ": " + .message' <<<"$answer" | head -1 >&2
        return 1
    fi
    jq -c .value <<<"$answer"
}

wd_start() {
    local i port=
    wd_url= wd_pid=
    timeout 280 chromedriver --port=0 >"$1/driver.log" 2>&1 &
    wd_pid=$!
    for i in $(seq 100); do
        port=$(sed -n 's/.*started successfully on port \([0-9]*\).*/\1/p' "$1/driver.log")
        [ -n "$port" ] && break
        sleep 0.1
    done
    [ -n "$port" ] || { echo "chromedriver did not start:"; cat "$1/driver.log"; return 1; }
    wd_url=http://127.0.0.1:$port
    mkdir -p "$1/profile"
    local id
    id=$(wd POST /session "$(jq -n --arg binary "$(command -v chromium)" --arg profile "$1/profile" '
        {capabilities: {alwaysMatch: {"goog:loggingPrefs": {browser: "ALL"},
            unhandledPromptBehavior: "ignore", timeouts: {script: 20000, pageLoad: 20000},
            "goog:chromeOptions": {binary: $binary, args: ["--headless", "--no-sandbox",
                "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", "--user-data-dir=" + $profile]}}}}')" |
        jq -r .sessionId) || return 1
    wd_url=$wd_url/session/$id
}

wd_stop() {
    [ -n "${wd_url:-}" ] && wd DELETE "" >/dev/null 2>&1
    [ -n "${wd_pid:-}" ] && kill "$wd_pid" 2>/dev/null && wait "$wd_pid" 2>/dev/null
    wd_url= wd_pid=
}

wd_go() { wd POST /url "$(jq -n --arg url "$1" '{url: $url}')" >/dev/null; }

# js CODE [ARGUMENT...]: runs the body of a function in the page; what it returns, text as it is.
js() {
    local code=$1
    shift
    wd POST /execute/sync "$(jq -n --arg code "$code" '{script: $code, args: $ARGS.positional}' --args -- "$@")" |
        jq -r .
}

# cdp COMMAND JSON: a command of the DevTools protocol.
cdp() { wd POST /goog/cdp/execute "$(jq -n --arg cmd "$1" --argjson params "$2" '{cmd: $cmd, params: $params}')"; }

# wd_width PIXELS: the page's own width, as a device of it has it.
wd_width() {
    cdp Emulation.setDeviceMetricsOverride \
        "{\"width\": $1, \"height\": ${2:-900}, \"deviceScaleFactor\": 1, \"mobile\": false}" >/dev/null
}

# wd_theme light|dark
wd_theme() {
    cdp Emulation.setEmulatedMedia \
        "{\"features\": [{\"name\": \"prefers-color-scheme\", \"value\": \"$1\"}]}" >/dev/null
}

# wd_keys TEXT: keys to what has the focus; \ue014 and the like as the standard has them.
wd_keys() {
    wd POST /actions "$(jq -n --argjson keys "\"$1\"" '{actions: [{type: "key", id: "keys", actions:
        [$keys | split("")[] | {type: "keyDown", value: .}, {type: "keyUp", value: .}]}]}')" >/dev/null
}

# wd_pointer X Y [click]: the mouse to a place in the window.
wd_pointer() {
    wd POST /actions "$(jq -n --argjson x "$1" --argjson y "$2" --arg click "${3:-}" '{actions: [{type:
        "pointer", id: "mouse", parameters: {pointerType: "mouse"}, actions: ([{type: "pointerMove",
        duration: 0, x: $x, y: $y}] + if $click == "" then [] else [{type: "pointerDown", button: 0},
        {type: "pointerUp", button: 0}] end)}]}')" >/dev/null
}

# wd_complaints: what the console has of warnings and errors since it was last asked.
wd_complaints() {
    wd POST /se/log '{"type": "browser"}' |
        jq -r '.[] | select(.level == "SEVERE" or .level == "WARNING") | .level + " " + .message'
}

# wd_picture FILE: the whole page.
wd_picture() {
    cdp Page.captureScreenshot '{"format": "png", "captureBeyondViewport": true}' |
        jq -r .data | base64 -d >"$1"
}
