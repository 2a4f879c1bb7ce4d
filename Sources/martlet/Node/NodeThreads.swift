import MartletCore
import MartletEngines
import MartletModelServer
import MartletProtocols
import SwiftProtobuf

extension NodeSettings {
    /// What the operator says about threads, for the node's ``ThreadBudget``.
    var threadWishes: ThreadBudget.Wishes {
        var wishes = ThreadBudget.Wishes()
        wishes.engine = engineThreads
        wishes.batches = batching != nil
        wishes.batch = batching?.numBatchThreads
        wishes.openvino = openvino.threads
        wishes.load = manager.loadThreads
        wishes.unload = manager.unloadThreads
        // A file that cannot be read is refused when TensorFlow is opened.
        let session = try? Tensorflow_ConfigProto(serializedBytes: tensorflow.configuration)
        wishes.tensorflowIntra =
            tensorflow.intraOperationThreads
            ?? ThreadBudget.Wishes.threads(session?.intraOpParallelismThreads)
        wishes.tensorflowInter =
            tensorflow.interOperationThreads
            ?? ThreadBudget.Wishes.threads(session?.interOpParallelismThreads)
        return wishes
    }
}

extension ThreadBudget.Wishes {
    /// A number of TensorFlow's session file, in which 0 is the same as nothing.
    fileprivate static func threads(_ number: Int32?) -> Int? {
        number.flatMap { $0 == 0 ? nil : Int($0) }
    }
}
