# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
# alone
"""The distribution's Prometheus scrapes a live agent with the configuration that we ship; every query of the dashboard has data."""
import json
import math
import os
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import environments
import frame
from agent import ROOT, Agent, Failure, Workload, until

DASHBOARD = os.path.join(ROOT, "deploy", "grafana", "infermeter.json")
CONFIGURATION = os.path.join(ROOT, "deploy", "prometheus")
SCRIPT = os.path.join(environments.HERE, "workloads", "ort_calls.py")
VARIABLES = {"$__rate_interval": "30s", "$__range": "5m", "$__interval": "5s", "$instance": ".*", "$runtime": ".*", "$model": ".*"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    def __init__(self, target):
        self.binary = shutil.which("prometheus")
        if not self.binary:
            raise frame.Skip("there is no prometheus")
        self.folder = tempfile.mkdtemp(prefix="infermeter-prometheus-")
        for name in os.listdir(CONFIGURATION):
            shutil.copy(os.path.join(CONFIGURATION, name), self.folder)
        path = os.path.join(self.folder, "prometheus.yml")
        with open(path) as file:
            text = file.read()
        if "127.0.0.1:9464" not in text:
            raise Failure("the configuration does not scrape the agent's default address")
        text = text.replace("127.0.0.1:9464", target).replace("15s", "1s")
        with open(path, "w") as file:
            file.write(text)
        self.address = "127.0.0.1:%d" % free_port()
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.process = subprocess.Popen([self.binary, "--config.file", path, "--storage.tsdb.path",
                                         os.path.join(self.folder, "data"), "--web.listen-address", self.address],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        try:
            until("prometheus ready", 30, self._ready, every=0.1)
        except BaseException:
            self.__exit__(None)
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ready(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise Failure("prometheus ended: %s" % self.log.read()[-1000:])
        try:
            with urllib.request.urlopen("http://%s/-/ready" % self.address, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, path, **query):
        url = "http://%s/api/v1/%s?%s" % (self.address, path, urllib.parse.urlencode(query))
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Failure("%s %s: %s" % (path, query, error.read().decode()[:300]))


def queries():
    """(panel, query) of every target of the dashboard and of its variables, as they would be sent."""
    with open(DASHBOARD) as file:
        dashboard = json.load(file)

    def walk(panels):
        for panel in panels:
            for target in panel.get("targets", []):
                yield panel["title"], target["expr"]
            yield from walk(panel.get("panels", []))

    for title, expression in walk(dashboard["panels"]):
        for name in sorted(VARIABLES, key=len, reverse=True):
            expression = expression.replace(name, VARIABLES[name])
        if "$" in expression:
            raise Failure("%s: a variable that the test does not know: %s" % (title, expression))
        # A panel of losses shows only those that are there: that the series exists is asked here.
        yield title, re.sub(r" > 0$", "", expression)


def without_data(prometheus):
    empty = []
    for title, expression in queries():
        data = prometheus.ask("query", query=expression)["result"]
        values = [float(series["value"][1]) for series in data]
        if not values or all(math.isnan(value) for value in values):
            empty.append("%s: %s" % (title, expression))
    return empty


@frame.test
def every_query_of_the_dashboard_has_data():
    frame.needs_root()
    python = environments.python("ort-newest")
    modules = environments.node_modules()
    models = environments.models()
    llama = [environments.program("llama_c", "-ldl", "-lpthread"),
             os.path.join(modules, "@node-llama-cpp", "linux-x64", "bins", "linux-x64"),
             os.path.join(models, "tiny.gguf"), "3000", "1", "wait"]
    ort = [python, SCRIPT, "--wait", "--calls", "2000000", "--fail", "rank", "file:" + os.path.join(models, "small.onnx")]
    with Workload(*ort) as calls, Workload(*llama) as decodes:
        calls.reach("before-load")
        decodes.reach("before-load")
        with Agent(pids=[calls.pid, decodes.pid]) as agent:
            agent.ready()
            with Prometheus(agent.address) as prometheus:
                for workload in (calls, decodes):
                    workload.go_on()
                    workload.reach("loaded")

                def up():
                    targets = prometheus.ask("targets")["activeTargets"]
                    return targets and all(target["health"] == "up" for target in targets)

                until("the agent is scraped", 30, up, every=0.2)
                calls.go_on()
                decodes.go_on()
                try:
                    until("data for every query", 60, lambda: not without_data(prometheus), every=1)
                except Failure:
                    raise Failure("no data:\n    " + "\n    ".join(without_data(prometheus)))
                for group in prometheus.ask("rules")["groups"]:
                    for rule in group["rules"]:
                        if rule["health"] == "err":
                            raise Failure("rule %s: %s" % (rule["name"], rule.get("lastError")))


@frame.test
def promtool_accepts_a_live_scrape():
    frame.needs_root()
    promtool = shutil.which("promtool")
    if not promtool:
        raise frame.Skip("there is no promtool")
    command = [environments.python("ort-newest"), SCRIPT, "--wait", "--fail", "rank",
               "file:" + os.path.join(environments.models(), "small.onnx")]
    with Workload(*command) as workload:
        workload.reach("before-load")
        with Agent(pids=[workload.pid]) as agent:
            agent.ready()
            workload.go_on()
            workload.reach("loaded")
            workload.go_on()
            workload.reach("done")
            text = agent.metrics().text
            workload.go_on()
            workload.result()
    done = subprocess.run([promtool, "check", "metrics"], input=text, text=True, timeout=30, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode or done.stdout.strip():
        raise Failure("promtool: %s" % done.stdout[:2000])


if __name__ == "__main__":
    frame.main()
