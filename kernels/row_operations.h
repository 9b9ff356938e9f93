// All row operations: each computes row r of its results from row r of its arguments, so that any number of
// them may follow each other without a barrier between rows.
//
// operation.row(r, lane, lanes) does the share of one of `lanes` workers that go through the row together.
// The CPU calls it with one lane; a CUDA device with a warp, which meets between two operations.
#pragma once

#include <variant>

#include "kernels/batch.h"
#include "kernels/budget.h"
#include "kernels/critic.h"
#include "kernels/diffusion.h"
#include "kernels/flow.h"
#include "kernels/gate.h"
#include "kernels/gaussian.h"
#include "kernels/optidice.h"
#include "kernels/regression.h"
#include "kernels/rows.h"
#include "kernels/sampling.h"
#include "kernels/surplus.h"

namespace r2pac {

template <class T>
using RowOperation = std::variant<
    CopyColumns<T>, CopyColumnsGradient<T>, Fill<T>, Zero<T>, Sum<T>, Product<T>, DrawDropout<T>,
    Broadcast<T>, Embed<T>, EnsembleExtreme<T>, EnsembleExtremeGradient<T>, GatherWindows<T>,
    GatherWindowsInOrder<T>, GatherColumn<T>, GatherSteps<T>, CriticTargets<T>, FeasibilityTargets<T>,
    SquaredError<T>, SquaredErrorGradient<T>, ExpectileLoss<T>, ExpectileGradient<T>, OptimalityLabels<T>,
    SafeStates<T>, AdvantageWeights<T>, AllowedChunks<T>, LabelDropout<T>, DrawFlow<T>, FlowPath<T>,
    EulerStep<T>, FlowLoss<T>, FlowLossGradient<T>, GaussianLoss<T>, GaussianGradient<T>, GateLoss<T>,
    GateGradient<T>, GatePassed<T>, DrawBudgets<T>, NextBudgets<T>, BudgetInputs<T>, DrawNormal<T>,
    GaussianSample<T>, GaussianSampleGradient<T>, Divergence<T>, DivergenceGradient<T>, LimitedBackup<T>,
    LinearLoss<T>, LinearLossGradient<T>, MeanOfFar<T>, MeanOfFarGradient<T>, DualAscent<T>, DiceRatio<T>,
    DiceLoss<T>, DiceGradient<T>, BoundLevel<T>, BoundPower<T>, BoundTerms<T>, BoundGradient<T>, Perturb<T>,
    BeforeTanh<T>, HeadWeights<T>, FeasibilityWeights<T>, DrawTimes<T>, ClampColumns<T>, DiffuseActions<T>,
    FourierFeatures<T>, FourierFeaturesGradient<T>, DrawSurplus<T>, Surplus<T>>;

/// On the CPU: rows 0 .. rows - 1, one after the other.
template <class T>
void run_rows(const RowOperation<T>& operation, int rows);

}  // namespace r2pac
