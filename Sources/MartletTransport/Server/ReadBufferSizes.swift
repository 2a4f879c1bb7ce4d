import NIOCore

/// How large the buffers are into which a connection is read: as large as what comes, in bounds.
///
/// The system keeps a connection's last buffer for its next read, idle or not, and never makes it
/// smaller. So it gets small ones to keep; large ones are made anew for each read, which is little
/// beside copying what is read into them, and let go with what they hold.
struct ReadBufferSizes: RecvByteBufferAllocator {
    /// Holds the head of most requests, and each connection keeps as much.
    static let smallest = 512
    /// The largest that is kept.
    static let keptMax = 2048
    static let largest = 65_536

    private var size = ReadBufferSizes.smallest
    private var wasTooLarge = false

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        allocator.buffer(capacity: size)
    }

    /// What a kept buffer has to have at least; nil where it is not to be kept.
    func nextBufferSize() -> Int? { size <= ReadBufferSizes.keptMax ? size : nil }

    /// Notes how much came: one that was filled is doubled, one of which less than half was used
    /// twice in a row is halved.
    ///
    /// - Returns: that the next may be larger than the one that is kept; always, as that is small.
    mutating func record(actualReadBytes count: Int) -> Bool {
        if count >= size {
            size = min(2 * size, ReadBufferSizes.largest)
            wasTooLarge = false
        } else if 2 * count <= size, size > ReadBufferSizes.smallest {
            if wasTooLarge { size /= 2 }
            wasTooLarge.toggle()
        } else {
            wasTooLarge = false
        }
        return true
    }
}
