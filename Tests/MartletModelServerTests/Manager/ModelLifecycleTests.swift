import MartletRepository
import Testing

@testable import MartletModelServer

@Suite("Life of a model's versions")
struct ModelLifecycleTests {
    private func expect(
        _ transcript: String, policy: VersionPolicy = .latest(count: 1),
        transition: TransitionPolicy = .availabilityPreserving,
        retries: LoadRetryPolicy = LoadRetryPolicy(maximum: 0),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let replayed = LifecycleTranscript.replay(
            transcript, policy: policy, transition: transition, retries: retries)
        #expect(replayed == transcript, sourceLocation: sourceLocation)
    }

    // MARK: Newer versions

    @Test func whenANewerVersionAppears_itIsLoadedBeforeTheOlderIsUnloaded() {
        expect(
            """
            find 1 | load 1 | 1 loading
            find 1 | - | 1 loading
            loaded 1 | - | 1 available
            find 1 | - | 1 available
            find 1 2 | load 2 | 1 available, 2 loading
            find 1 2 | - | 1 available, 2 loading
            loaded 2 | unload 1 | 1 unloading, 2 available
            find 1 2 | - | 1 unloading, 2 available
            unloaded 1 | - | 1 end, 2 available
            find 1 2 | - | 1 end, 2 available
            """)
    }

    @Test func whenThereAreSeveralAtFirst_onlyTheNewestIsLoaded() {
        expect(
            """
            find 1 2 10 | load 10 | 10 loading
            loaded 10 | - | 10 available
            """)
    }

    @Test func whenANewerVersionAppearsWhileTheFirstLoads_bothLoadAndTheNewestStays() {
        expect(
            """
            find 1 | load 1 | 1 loading
            find 1 2 | load 2 | 1 loading, 2 loading
            loaded 1 | - | 1 available, 2 loading
            loaded 2 | unload 1 | 1 unloading, 2 available
            unloaded 1 | - | 1 end, 2 available
            """)
    }

    @Test func whenTheOlderIsLoadedAfterTheNewer_itIsUnloadedAtOnce() {
        expect(
            """
            find 1 | load 1 | 1 loading
            find 1 2 | load 2 | 1 loading, 2 loading
            loaded 2 | - | 1 loading, 2 available
            loaded 1 | unload 1 | 1 unloading, 2 available
            unloaded 1 | - | 1 end, 2 available
            """)
    }

    @Test func whenTwoVersionsAreWanted_theNewestTwoAreServed() {
        expect(
            """
            find 1 2 3 | load 3, load 2 | 2 loading, 3 loading
            loaded 2 | - | 2 available, 3 loading
            loaded 3 | - | 2 available, 3 available
            find 1 2 3 4 | load 4, unload 2 | 2 unloading, 3 available, 4 loading
            unloaded 2 | - | 2 end, 3 available, 4 loading
            loaded 4 | - | 2 end, 3 available, 4 available
            """, policy: .latest(count: 2))
    }

    // MARK: Broken versions

    @Test func whenTheNewestIsBroken_theOlderStays() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 2 | load 2 | 1 available, 2 loading
            failed 2 | - | 1 available, 2 end!
            find 1 2 | - | 1 available, 2 end!
            find 1 2 | - | 1 available, 2 end!
            """)
    }

    @Test func whenTheNewestIsBrokenAtFirst_theNextOlderIsLoaded() {
        expect(
            """
            find 1 2 3 | load 3 | 3 loading
            failed 3 | load 2 | 2 loading, 3 end!
            failed 2 | load 1 | 1 loading, 2 end!, 3 end!
            loaded 1 | - | 1 available, 2 end!, 3 end!
            """)
    }

    @Test func whenABrokenVersionsFilesChange_itIsLoadedAgain() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 2 | load 2 | 1 available, 2 loading
            failed 2 | - | 1 available, 2 end!
            find 1 2@1 | load 2 | 1 available, 2 loading
            failed 2 | - | 1 available, 2 end!
            find 1 2@1 | - | 1 available, 2 end!
            find 1 2@2 | load 2 | 1 available, 2 loading
            loaded 2 | unload 1 | 1 unloading, 2 available
            unloaded 1 | - | 1 end, 2 available
            """)
    }

    @Test func whenTheOnlyVersionIsBroken_itIsNotLoadedOverAndOver() {
        expect(
            """
            find 1 | load 1 | 1 loading
            failed 1 | - | 1 end!
            find 1 | - | 1 end!
            find | - | 1 end!
            find 1 | - | 1 end!
            find 1@1 | load 1 | 1 loading
            """)
    }

    @Test func whenANewerThanTheBrokenAppears_itIsLoaded() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 2 | load 2 | 1 available, 2 loading
            failed 2 | - | 1 available, 2 end!
            find 1 2 3 | load 3 | 1 available, 2 end!, 3 loading
            loaded 3 | unload 1 | 1 unloading, 2 end!, 3 available
            """)
    }

    @Test func whenTheServedOneIsRemovedAndTheOtherIsBroken_theServedStays() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 2 | load 2 | 1 available, 2 loading
            failed 2 | - | 1 available, 2 end!
            find 2 | - | 1 available, 2 end!
            find 2@1 | load 2 | 1 available, 2 loading
            loaded 2 | unload 1 | 1 unloading, 2 available
            """)
    }

    @Test func aServedVersionsFiles_areNotWalkedAtEachLook() {
        var transcript = LifecycleTranscript()
        for event in ["find 1", "loaded 1", "find 1 2", "failed 2"] { _ = transcript.play(event) }
        for _ in 0..<5 { _ = transcript.play("find 1 2") }
        #expect(transcript.fingerprintsAsked == [2: 5])
    }

    // MARK: Storage

    @Test func whenStorageIsEmptied_allIsUnloaded() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find | unload 1 | 1 unloading
            find | - | 1 unloading
            unloaded 1 | - | 1 end
            find | - | 1 end
            """)
    }

    @Test func whenStorageIsEmptiedWhileAVersionLoads_itIsUnloadedOnceLoaded() {
        expect(
            """
            find 1 | load 1 | 1 loading
            find | - | 1 loading
            loaded 1 | unload 1 | 1 unloading
            unloaded 1 | - | 1 end
            """)
    }

    @Test func whenAVersionComesBackWhileItIsUnloaded_itIsLoadedAgainAfterwards() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find | unload 1 | 1 unloading
            find 1 | - | 1 unloading
            unloaded 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            """)
    }

    @Test func whenTheNewestIsRemoved_theOlderIsLoadedBeforeTheNewestIsUnloaded() {
        expect(
            """
            find 1 2 | load 2 | 2 loading
            loaded 2 | - | 2 available
            find 1 | load 1 | 1 loading, 2 available
            loaded 1 | unload 2 | 1 available, 2 unloading
            unloaded 2 | - | 1 available, 2 end
            find 1 2 | load 2 | 1 available, 2 loading
            loaded 2 | unload 1 | 1 unloading, 2 available
            """)
    }

    @Test func whenRolledBackWhileTheOlderIsUnloaded_theNewestAnswersUntilTheOlderIsBack() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 2 | load 2 | 1 available, 2 loading
            loaded 2 | unload 1 | 1 unloading, 2 available
            find 1 | - | 1 unloading, 2 available
            unloaded 1 | load 1 | 1 loading, 2 available
            loaded 1 | unload 2 | 1 available, 2 unloading
            """)
    }

    @Test func whenRolledBackToAVersionThatNowFails_theNewestStaysThoughItIsGoneFromStorage() {
        expect(
            """
            find 1 2 | load 2 | 2 loading
            loaded 2 | - | 2 available
            find 1 | load 1 | 1 loading, 2 available
            failed 1 | - | 1 end!, 2 available
            find | unload 2 | 1 end!, 2 unloading
            """)
    }

    // MARK: Questions

    @Test func isGone_onlyOnceNothingIsInMemoryOrStorage() {
        var transcript = LifecycleTranscript()
        #expect(transcript.isGone)
        let gone = ["find 1", "loaded 1", "find", "unloaded 1", "find 1", "failed 1", "find"].map {
            _ = transcript.play($0)
            return transcript.isGone
        }
        #expect(gone == [false, false, false, true, false, false, true])
    }

    @Test func isAvailable_fromLoadedUntilUnloading() {
        var transcript = LifecycleTranscript()
        let available = ["find 1", "loaded 1", "find 1", "find", "unloaded 1"].map {
            _ = transcript.play($0)
            return transcript.isAvailable
        }
        #expect(available == [false, true, true, false, false])
    }

    @Test func isLoading_evenWhileItsVersionIsUnloadedFirst() {
        var lifecycle = ModelLifecycle(policy: .latest(count: 1))
        let versions = [1, 2].map { ModelDirectory.Version(number: $0, path: "/m/\($0)") }
        _ = lifecycle.didFind([versions[0]]) { _ in 0 }
        _ = lifecycle.didLoad(1)
        _ = lifecycle.didFind(versions) { _ in 0 }
        _ = lifecycle.didLoad(2)
        #expect(lifecycle.isUnloading && !lifecycle.isLoading)
        _ = lifecycle.didFind([versions[0]]) { _ in 0 }
        #expect(lifecycle.isUnloading && lifecycle.isLoading)
        _ = lifecycle.didUnload(1)
        #expect(lifecycle.isLoading)
        _ = lifecycle.didLoad(1)
        #expect(!lifecycle.isLoading)
    }

    @Test func endedVersions_areRememberedUpToABound() {
        var lifecycle = ModelLifecycle(policy: .latest(count: 1))
        for number in Int64(1)...100 {
            let version = ModelDirectory.Version(number: number, path: "/m/\(number)")
            _ = lifecycle.didFind([version]) { _ in 0 }
            _ = lifecycle.didLoad(number)
            _ = lifecycle.didUnload(number - 1)
        }
        _ = lifecycle.didFind([]) { _ in 0 }
        _ = lifecycle.didUnload(100)
        _ = lifecycle.didFind([]) { _ in 0 }
        let kept = ModelLifecycle.endedVersionsKept
        #expect(lifecycle.statuses.map(\.version) == Array((101 - Int64(kept))...100))
    }

    // MARK: Policies

    @Test func whenAllVersionsAreWanted_allAreServed() {
        expect(
            """
            find 1 3 | load 3, load 1 | 1 loading, 3 loading
            loaded 1 | - | 1 available, 3 loading
            loaded 3 | - | 1 available, 3 available
            find 3 | unload 1 | 1 unloading, 3 available
            """, policy: .all)
    }

    @Test func whenSpecificVersionsAreWanted_onlyTheyAreServed() {
        expect(
            """
            find 1 2 3 | load 2 | 2 loading
            loaded 2 | - | 2 available
            specific 3 | load 3 | 2 available, 3 loading
            loaded 3 | unload 2 | 2 unloading, 3 available
            specific 9 | - | 2 unloading, 3 available
            """, policy: .specific([2]))
    }

    @Test func whenResourcesComeFirst_theOldIsUnloadedBeforeTheNewIsLoaded() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 2 | unload 1 | 1 unloading, 2 start
            find 1 2 | - | 1 unloading, 2 start
            unloaded 1 | load 2 | 1 end, 2 loading
            loaded 2 | - | 1 end, 2 available
            """, transition: .resourcePreserving)
    }

    @Test func whenResourcesComeFirstAndTheNewIsBroken_theOldComesBack() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 2 | unload 1 | 1 unloading, 2 start
            unloaded 1 | load 2 | 1 end, 2 loading
            failed 2 | load 1 | 1 loading, 2 end!
            loaded 1 | - | 1 available, 2 end!
            """, transition: .resourcePreserving)
    }

    @Test func whenAVersionFails_itIsTriedAgainSoOften() {
        expect(
            """
            find 1 | load 1 | 1 loading
            failed 1 | - | 1 end!
            later 59 | - | 1 end!
            later 1 | load 1 | 1 loading!
            failed 1 | - | 1 end!
            later 60 | load 1 | 1 loading!
            failed 1 | - | 1 end!
            later 600 | - | 1 end!
            find 1@2 | load 1 | 1 loading
            """, retries: LoadRetryPolicy(maximum: 2, interval: .seconds(60)))
    }

    // MARK: Wishes of the operator

    @Test func whenAModelIsRemoved_allIsUnloadedAtOnce() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            removed | unload 1 | 1 unloading
            unloaded 1 | - | 1 end
            find 1 | - | 1 end
            keep | load 1 | 1 loading
            """)
    }

    @Test func whenAModelIsRemovedWhileItLoads_itIsUnloadedWhenItIsLoaded() {
        expect(
            """
            find 1 | load 1 | 1 loading
            removed | - | 1 loading
            loaded 1 | unload 1 | 1 unloading
            """)
    }

    @Test func whenAModelIsWantedOnDemand_itIsLoadedWhenItIsKeptAndMayGoAndComeBack() {
        expect(
            """
            on-demand | - | -
            find 1 | - | 1 start
            keep | load 1 | 1 loading
            loaded 1 | - | 1 available
            on-demand | unload 1 | 1 unloading
            keep | - | 1 unloading
            unloaded 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            on-demand | unload 1 | 1 unloading
            unloaded 1 | - | 1 start
            """)
    }

    @Test func whenAVersionMovesToAnotherFolder_itIsLoadedAnewWhileTheOldAnswers() {
        expect(
            """
            find 1 | load 1 | 1 loading
            loaded 1 | - | 1 available
            find 1 /n | load 1 from /n/1 | 1 available
            find 1 /n | - | 1 available
            loaded 1 | - | 1 available
            find 1 /n | - | 1 available
            """)
    }
}
