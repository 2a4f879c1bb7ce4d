import Foundation
import MartletCore

@testable import MartletEngines

/// A program that speaks as the real worker does, and counts in place of generating: behind a
/// prompt that ends with 5 come 6, 7, 8, ...
///
/// A prompt that begins with 900 ends the process behind two tokens; 901 makes it say nothing any
/// more; 902 makes it write nonsense; 903 is refused; 904 fails behind a token.
enum GenAIFakeWorker {
    /// What it does in place of loading a model, by its argument.
    static let source = #"""
        import json, os, signal, socket, sys, threading, time

        connection = socket.socket(fileno=0)
        lines = connection.makefile("rb")
        live = {}
        lock = threading.Condition()


        def send(message):
            connection.sendall(json.dumps(message).encode() + b"\n")


        def receive():
            for line in lines:
                command = json.loads(line)
                with lock:
                    if "submit" in command:
                        live[command["submit"]["id"]] = [command["submit"], 0]
                    else:
                        live.pop(command["cancel"], None)
                    lock.notify()
            os._exit(0)


        behaviour = sys.argv[1]
        # Once a file of this name is there, the program loads no more.
        if behaviour == "refuses" or os.path.exists(behaviour):
            print("what went wrong", file=sys.stderr)
            send({"fatal": "not today"})
            sys.exit(3)
        if behaviour == "dies":
            print("out of luck", file=sys.stderr, flush=True)
            os._exit(7)
        if behaviour != "deaf":
            threading.Thread(target=receive, daemon=True).start()
        # Once a file of that name is there, loading takes very long.
        if behaviour == "sleeps" or os.path.exists(behaviour + ".slow"):
            time.sleep(600)
        send({"ready": {"protocol": 2 if behaviour == "old" else 1, "version": "fake"}})
        while True:
            with lock:
                while not live:
                    lock.wait()
                requests = list(live.items())
            # Once a file of that name is there, it ends with all that it has.
            if os.path.exists(behaviour + ".end"):
                os.remove(behaviour + ".end")
                os.kill(os.getpid(), signal.SIGKILL)
            results = []
            for number, (request, done) in requests:
                kind = request["prompt"][0]
                if kind == 900 and done == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                if kind == 901:
                    time.sleep(60)
                if kind == 902:
                    connection.sendall(b"nonsense\n")
                if kind == 903:
                    send({"refused": [number, "903"]})
                    live.pop(number, None)
                    continue
                if kind == 904 and done == 1:
                    send({"failed": [number, "no number"]})
                    live.pop(number, None)
                    continue
                token = request["prompt"][-1] + done + 1
                end = None
                if token in request["ends"]:
                    end = "stop"
                elif done + 1 == request["tokens"]:
                    end = "length"
                results.append([number, [token], [-0.5] if request["logprobs"] else [], end])
                with lock:
                    if end:
                        live.pop(number, None)
                    elif number in live:
                        live[number][1] += 1
            send({"step": results, "cache": 0.1})
            time.sleep(0.002)
        """#

    /// Writes the program.
    ///
    /// - Returns: the folder to be removed, and the command.
    static func make(_ behaviour: String = "works") throws -> (folder: URL, command: [String]) {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-genai-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let program = folder.appendingPathComponent("worker.py")
        try source.write(to: program, atomically: true, encoding: .utf8)
        return (folder, ["/usr/bin/env", "python3", program.path, behaviour])
    }

    static var scheduling: SchedulerSettings {
        var settings = SchedulerSettings(
            cells: 4096, slots: 8, contextTokensMax: 2000, stepTokensMax: 64, runningMax: 4)
        settings.vocabularySize = 4000
        settings.endTokens = [2]
        return settings
    }

    /// The same for texts that come to no end while a test lasts.
    static var spacious: SchedulerSettings {
        var settings = scheduling
        settings.cells = 4_000_000
        settings.contextTokensMax = 900_000
        settings.vocabularySize = 1_000_000
        return settings
    }
}
