import SwiftUI

@main
struct GeneratorApp: App {
  var body: some Scene {
    WindowGroup { ContentView() }
  }
}

/// One picture, a slider for its seed, and a button for the next one.
struct ContentView: View {
  @State private var generator = Result { try Generator(name: "generator") }
  @State private var seed = 0.0

  var body: some View {
    VStack(spacing: 16) {
      switch Result(catching: { try sample() }) {
      case .success(let (image, milliseconds)):
        Image(decorative: image, scale: 1)
          .interpolation(.none)  // Small images stay crisp.
          .resizable()
          .scaledToFit()
        Text(String(format: "Seed %d, %.1f ms on the %@", Int(seed), milliseconds, accelerator)).monospacedDigit()
      case .failure(let error):
        Text("generator.tflite could not be run: \(error.localizedDescription)")
      }
      Slider(value: $seed, in: 0...999, step: 1) { Text("Seed") }
      Button("Next") { seed = (seed + 1).truncatingRemainder(dividingBy: 1000) }
        .buttonStyle(.borderedProminent)
    }
    .padding()
  }

  private var accelerator: String { (try? generator.get().accelerator) ?? "" }

  private func sample() throws -> (CGImage, Double) {
    let start = Date()
    let image = try generator.get().sample(seed: UInt64(seed))
    return (image, Date().timeIntervalSince(start) * 1000)
  }
}
